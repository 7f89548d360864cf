use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::super::subchannel::Subchannel;
use crate::choice::directory;

/// What a node has told of itself, or another member of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// Its id.
    pub(super) id: Arc<str>,
    /// What people call it.
    pub(super) name: String,
    /// Where it is reached, in its own order.
    pub(super) targets: Vec<String>,
    /// The transports that serve each service.
    services: BTreeMap<String, Vec<String>>,
}

impl Listing {
    pub(super) fn of(node: directory::Node, services: Vec<directory::Service>) -> Self {
        let of = |service: directory::Service| (service.name, service.transports);
        Self {
            id: node.id.into(),
            name: node.name,
            targets: node.endpoints.into_iter().map(|endpoint| endpoint.target).collect(),
            services: services.into_iter().map(of).collect(),
        }
    }

    /// The same with the services that were known before, where it says of none.
    pub(super) fn or_services_of(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before.filter(|_| self.services.is_empty()) {
            self.services.clone_from(&before.services);
        }
        self
    }

    /// Whether it serves the service of this name; `None` where nothing is known of its services.
    pub(super) fn serves(&self, service: &str) -> Option<bool> {
        (!self.services.is_empty()).then(|| self.services.contains_key(service))
    }

    /// The names of its services.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// Which of these subchannels each service may take, a bit for each place.
    pub(super) fn serving(&self, subchannels: &[Arc<Subchannel>]) -> HashMap<String, u8> {
        let places = |transports: &Vec<String>| {
            let serves = |(_, subchannel): &(usize, &Arc<Subchannel>)| {
                transports.iter().any(|name| name == subchannel.transport)
            };
            subchannels.iter().enumerate().filter(serves).fold(0, |places, (place, _)| places | 1 << place)
        };
        self.services.iter().map(|(name, transports)| (name.clone(), places(transports))).collect()
    }
}
