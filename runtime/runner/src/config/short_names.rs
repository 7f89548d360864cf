//! Names in `transport.strategy` that nothing of the node has.

use polywire_core::{__runner::nearest, Method, ServiceInfo, ShortName};

use super::{Strategy, finding::Finding};

/// The short names that no service of a node with these services has, and the methods that none of them has. The node may call
/// such services at other nodes.
pub(super) fn unknown(strategy: &Strategy, services: &[ServiceInfo]) -> Vec<Finding> {
    let names = Names(services);
    let element = |key, index| format!("transport.strategy.{key}[{index}]");
    let retired = strategy.retired_on_grpc.iter().enumerate().filter_map(|(index, name)| {
        let problem = names.unknown_service(name.as_str(), "so it retires nothing")?;
        Some(Finding::new(element("retired_on_grpc", index), [], problem))
    });
    let preferred = strategy.prefer_iroh_for.iter().enumerate();
    let preferred = preferred.map(|(index, name)| (element("prefer_iroh_for", index), (name.as_str(), None)));
    let of_shift = |name: &ShortName| format!("transport.strategy.shift.{name}");
    let shifted = strategy.shift.iter().map(|(name, _)| (of_shift(name), (name.as_str(), None)));
    let of_policy = |(name, _)| (format!("transport.strategy.policy.{name}"), super::RuleName::parts(name));
    let called = preferred.chain(shifted).chain(strategy.policy.iter().map(of_policy));
    let called = called.filter_map(|(key, (service, method))| {
        Some(Finding::new(key, [], names.unknown_call(service, method)?))
    });
    retired.chain(called).collect()
}

const ELSEWHERE: &str = "so it applies only to calls of other nodes";

struct Names<'a>(&'a [ServiceInfo]);

impl Names<'_> {
    fn unknown_call(&self, service: &str, method: Option<&str>) -> Option<String> {
        self.unknown_service(service, ELSEWHERE).or_else(|| self.unknown_method(service, method?))
    }

    /// The problem if no service has this short name; `so` is what follows from it.
    fn unknown_service(&self, name: &str, so: &str) -> Option<String> {
        let names = || self.0.iter().map(ServiceInfo::short_name);
        if names().any(|known| known == name) {
            return None;
        }
        Some(format!(
            "no service of this node has the short name {name:?}, {so}{}",
            meant(nearest(name, names()))
        ))
    }

    /// The problem if the services with this short name have no such method.
    fn unknown_method(&self, service: &str, method: &str) -> Option<String> {
        let named = self.0.iter().filter(|info| info.short_name() == service);
        let methods: Vec<_> = named.flat_map(ServiceInfo::methods).map(Method::name).collect();
        if methods.contains(&method) {
            return None;
        }
        let near = nearest(method, methods).map(|near| format!("{service}/{near}"));
        let meant = meant(near.as_deref());
        Some(format!("no method of this node has the name \"{service}/{method}\", {ELSEWHERE}{meant}"))
    }
}

fn meant(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Loader;
    use super::*;

    const SERVICES: &[ServiceInfo] = &[
        ServiceInfo::new(
            "inventory.v1.Inventory",
            "",
            &[Method::unary("/inventory.v1.Inventory/Get"), Method::unary("/inventory.v1.Inventory/Put")],
        ),
        ServiceInfo::new("grpc.health.v1.Health", "", &[Method::unary("/grpc.health.v1.Health/Check")]),
    ];

    fn warnings(text: &str) -> Vec<String> {
        Loader::new().text("node.toml", text).load().unwrap().unknown_names(SERVICES)
    }

    #[test]
    fn a_short_name_that_no_service_has_is_said_with_the_nearest_one() {
        let text = "[transport.strategy]\nfallback_to_grpc = false\nretired_on_grpc = [\"health\", \"Inventory\"]\n\
                    prefer_iroh_for = [\"heath\"]\n[transport.strategy.shift]\nother = 0.5\n\
                    [transport.strategy.policy]\ninventry = { adaptive = true }\n\
                    \"inventory/Gte\" = { hedge = \"p95\" }\n\"inventory/Get\" = { hedge = \"p95\" }\n";
        let elsewhere = "so it applies only to calls of other nodes";
        assert_eq!(
            warnings(text),
            [
                "node.toml:3:30: transport.strategy.retired_on_grpc[1]: no service of this node has the short name \
                 \"Inventory\", so it retires nothing; did you mean \"inventory\"?"
                    .to_owned(),
                format!(
                    "node.toml:4:20: transport.strategy.prefer_iroh_for[0]: no service of this node has the short name \
                     \"heath\", {elsewhere}; did you mean \"health\"?"
                ),
                format!(
                    "node.toml:6:1: transport.strategy.shift.other: no service of this node has the short name \
                     \"other\", {elsewhere}"
                ),
                format!(
                    "node.toml:9:1: transport.strategy.policy.inventory/Gte: no method of this node has the name \
                     \"inventory/Gte\", {elsewhere}; did you mean \"inventory/Get\"?"
                ),
                format!(
                    "node.toml:8:1: transport.strategy.policy.inventry: no service of this node has the short name \
                     \"inventry\", {elsewhere}; did you mean \"inventory\"?"
                ),
            ]
        );
    }

    #[test]
    fn names_that_services_have_are_no_reason_to_warn() {
        let text = "[transport.strategy]\nprefer_iroh_for = [\"health\"]\nshift = { inventory = 0.5 }\n\
                    policy = { health = { adaptive = true }, \"inventory/Put\" = { fallback = false } }\n";
        assert_eq!(warnings(text), [""; 0]);
        assert_eq!(warnings(""), [""; 0]);
    }
}
