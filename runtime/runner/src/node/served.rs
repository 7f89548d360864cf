use std::collections::BTreeMap;

use super::NodeError;
use polywire_core::{Channel, Router, Service as _, ServiceInfo};

/// What is put into a node's router, and by what it was added: so that nothing is lost there in silence.
pub(super) struct Served<'a> {
    router: &'a Router,
    added: BTreeMap<&'static str, String>,
}

impl<'a> Served<'a> {
    pub(super) fn in_router(router: &'a Router) -> Self {
        Self { router, added: BTreeMap::new() }
    }

    /// Adds the services that answer at `channel`.
    ///
    /// # Errors
    /// [`NodeError::Service`] where it names none, where it does not know what it names, or where one was added before.
    pub(super) fn add(&mut self, added_by: &str, channel: Channel) -> Result<(), NodeError> {
        let services = channel.services();
        let problem = if services.is_empty() {
            Some("it names no service; expected its `services()` to tell those of what it wraps".to_owned())
        } else {
            services.iter().find_map(|info| self.problem(info, &channel))
        };
        if let Some(problem) = problem {
            return Err(NodeError::Service { added_by: added_by.to_owned(), problem });
        }
        self.added.extend(services.iter().map(|info| (info.name(), added_by.to_owned())));
        self.router.add(channel);
        Ok(())
    }

    fn problem(&self, info: &ServiceInfo, channel: &Channel) -> Option<String> {
        let name = info.name();
        if let Some(earlier) = self.added.get(name) {
            return Some(format!("the service {name} was added twice, before by {earlier}"));
        }
        let unknown = info.methods().iter().find(|method| channel.method(method.path()).is_none())?;
        Some(format!(
            "it knows nothing of {}, which it names; expected its `method()` to ask what it wraps",
            unknown.path()
        ))
    }
}
