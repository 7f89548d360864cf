use std::collections::BTreeMap;

use super::NodeError;
use polywire_core::{Channel, Router, Service as _, ServiceInfo};

/// Adds services to a node's router and records their origin, so that duplicates are reported.
pub(super) struct Served<'a> {
    router: &'a Router,
    added: BTreeMap<&'static str, String>,
}

impl<'a> Served<'a> {
    pub(super) fn in_router(router: &'a Router) -> Self {
        Self { router, added: BTreeMap::new() }
    }

    /// Adds the services of `channel`.
    ///
    /// # Errors
    /// [`NodeError::Service`] if it names no service, lacks a method of a service, or names a service that was already
    /// added.
    pub(super) fn add(&mut self, added_by: &str, channel: Channel) -> Result<(), NodeError> {
        let services = channel.services();
        let problem = if services.is_empty() {
            Some(
                "it names no service; expected its `services()` to return those of the inner service"
                    .to_owned(),
            )
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
            return Some(format!("duplicate service {name}, already added by {earlier}"));
        }
        let unknown = info.methods().iter().find(|method| channel.method(method.path()).is_none())?;
        Some(format!(
            "it names {} but does not find it; expected its `method()` to delegate to the inner service",
            unknown.path()
        ))
    }
}
