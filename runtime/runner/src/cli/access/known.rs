//! The methods that a token is to allow, compared with those of the node.

use polywire_core::access::MethodPattern;

use crate::cli::{
    directory::Service,
    failure::Failure,
    print,
    suggest::{self, Known},
};

/// Refuses a method that a service of the node lacks, and warns of a service that the node lacks: another member may have it.
pub(super) fn check(methods: &[MethodPattern], services: &[Service]) -> Result<(), Failure> {
    let known: Vec<_> = services.iter().map(known).collect();
    if let Some(refusal) = methods.iter().find_map(|pattern| unknown_method(pattern, &known)) {
        return Err(Failure::usage(refusal));
    }
    for warning in methods.iter().filter_map(|pattern| unknown_service(pattern, &known)) {
        print::note(format_args!("warning: {warning}"));
    }
    Ok(())
}

fn known(service: &Service) -> Known {
    let methods = service.methods.iter().map(|method| method.name.clone());
    Known { service: service.name.clone(), methods: methods.collect() }
}

fn unknown_method(pattern: &MethodPattern, known: &[Known]) -> Option<String> {
    let MethodPattern::Method(text) = pattern else { return None };
    let (service, method) = text.split_once('/')?;
    let service = known.iter().find(|known| known.service == service)?;
    if service.methods.iter().any(|known| known == method) {
        return None;
    }
    let hint = match suggest::meant(&service.service, method, std::slice::from_ref(service)) {
        Some(meant) if *meant != **text => format!("did you mean \"{meant}\"?"),
        _ => format!("expected one of {}", suggest::paths(&service.service, &service.methods)),
    };
    Some(format!("no method of the node has the name {text:?}; {hint}"))
}

fn unknown_service(pattern: &MethodPattern, known: &[Known]) -> Option<String> {
    let service = pattern.service()?;
    if known.iter().any(|known| known.service == service) {
        return None;
    }
    let text = pattern.to_string();
    let method = text.rsplit('/').next()?;
    let meant = suggest::meant(service, method, known);
    let hint = meant.map(|meant| format!("; did you mean \"{meant}\"?")).unwrap_or_default();
    Some(format!(
        "no service of the node has the name {service:?}, which the token allows all the same{hint}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Vec<Known> {
        let methods = ["Get", "Watch"].map(str::to_owned).into();
        vec![Known { service: "inventory.v1.Inventory".to_owned(), methods }]
    }

    fn said(check: fn(&MethodPattern, &[Known]) -> Option<String>, pattern: &str) -> String {
        check(&pattern.parse().unwrap(), &services()).unwrap_or_default()
    }

    #[test]
    fn a_method_that_a_known_service_lacks_is_refused_with_the_nearest_one_or_all() {
        assert_eq!(
            said(unknown_method, "inventory.v1.Inventory/Gte"),
            "no method of the node has the name \"inventory.v1.Inventory/Gte\"; did you mean \
             \"inventory.v1.Inventory/Get\"?"
        );
        assert_eq!(
            said(unknown_method, "inventory.v1.Inventory/Remove"),
            "no method of the node has the name \"inventory.v1.Inventory/Remove\"; expected one of \
             inventory.v1.Inventory/Get, inventory.v1.Inventory/Watch"
        );
        for good in ["inventory.v1.Inventory/Get", "inventory.v1.Inventory/*", "x.Y/Z", "operator"] {
            assert_eq!(said(unknown_method, good), "", "{good}");
        }
    }

    #[test]
    fn a_service_that_the_node_lacks_is_told_with_the_nearest_one() {
        for (pattern, meant) in [
            ("inventory.v1.Inventry/Get", "; did you mean \"inventory.v1.Inventory/Get\"?"),
            ("Inventory/*", "; did you mean \"inventory.v1.Inventory/*\"?"),
            ("x.Y/Z", ""),
        ] {
            let warning = said(unknown_service, pattern);
            assert!(warning.starts_with("no service of the node has the name "), "{pattern}: {warning}");
            assert!(
                warning.ends_with(&format!("which the token allows all the same{meant}")),
                "{pattern}: {warning}"
            );
        }
        for good in ["inventory.v1.Inventory/Gte", "inventory.v1.Inventory/*", "operator"] {
            assert_eq!(said(unknown_service, good), "", "{good}");
        }
    }
}
