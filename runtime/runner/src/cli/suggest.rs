//! Suggestions for misspelt methods.

use polywire_core::__runner::{distance, nearest};

/// A service and the names of its methods.
pub(super) struct Known {
    pub(super) service: String,
    pub(super) methods: Vec<String>,
}

/// The path of the nearest known method; `None` if none is close.
///
/// The last part of a service's name decides, as people omit the package; among equals the service with the nearest
/// method, and then the nearest package.
pub(super) fn meant(service: &str, method: &str, known: &[Known]) -> Option<String> {
    let (_, last) = split(service);
    let alike = known.iter().filter_map(|known| {
        let far = distance(last, split(&known.service).1)?;
        let named = nearest(method, known.methods.iter().map(String::as_str));
        let method_far = named.map_or(usize::MAX, |named| strsim::levenshtein(named, method));
        let package_far = strsim::damerau_levenshtein(&known.service, service);
        Some(((far, method_far, package_far, &known.service), named))
    });
    let ((_, _, _, service), named) = alike.min()?;
    Some(format!("{service}/{}", named.unwrap_or(method)))
}

/// The paths of a service's methods.
pub(super) fn paths(service: &str, methods: &[String]) -> String {
    let paths: Vec<_> = methods.iter().map(|method| format!("{service}/{method}")).collect();
    paths.join(", ")
}

fn split(service: &str) -> (&str, &str) {
    service.rsplit_once('.').unwrap_or(("", service))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(service: &str, methods: &[&str]) -> Known {
        let methods = methods.iter().map(|&method| method.to_owned()).collect();
        Known { service: service.to_owned(), methods }
    }

    #[test]
    fn the_nearest_service_that_has_the_method_was_meant() {
        let known = [
            known("a.health.v1.Health", &["Detail"]),
            known("grpc.health.v1.Health", &["Check", "Watch"]),
            known("a.v1.Store", &["Get"]),
        ];
        for (written, expected) in [
            ("Heath/Check", Some("grpc.health.v1.Health/Check")),
            ("Health/detail", Some("a.health.v1.Health/Detail")),
            ("grpc.health.v1.Health/Chek", Some("grpc.health.v1.Health/Check")),
            ("a.v1.Stroe/Get", Some("a.v1.Store/Get")),
            ("a.v1.Unlike/Get", None),
        ] {
            let (service, method) = written.split_once('/').unwrap();
            assert_eq!(meant(service, method, &known).as_deref(), expected, "{written}");
        }
    }
}
