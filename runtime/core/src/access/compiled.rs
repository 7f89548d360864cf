use std::collections::{HashMap, HashSet};

use super::{AccessRules, IdentityPattern, MethodPattern};
use crate::{AccessClass, Identity, method};

/// Rules in the form in which a call asks them: one look-up for each identity of the caller, whatever the number of rules,
/// and no allocation.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    anyone: Methods,
    exact: HashMap<Identity, Methods>,
    wildcards: Vec<(IdentityPattern, Methods)>,
}

/// The methods that rules allow.
#[derive(Debug, Default)]
struct Methods {
    classes: [bool; AccessClass::ALL.len()],
    services: HashSet<Box<str>>,
    methods: HashSet<Box<str>>,
}

impl Compiled {
    pub(super) fn new(rules: &AccessRules) -> Self {
        let mut compiled = Self::default();
        for (who, what) in &rules.allow {
            for pattern in who {
                let methods = compiled.methods_of(pattern);
                what.iter().for_each(|pattern| methods.add(pattern));
            }
        }
        compiled
    }

    fn methods_of(&mut self, pattern: &IdentityPattern) -> &mut Methods {
        match pattern {
            IdentityPattern::Anyone => &mut self.anyone,
            IdentityPattern::One(identity) => self.exact.entry(identity.clone()).or_default(),
            wildcard => {
                let known = self.wildcards.iter().position(|(own, _)| own == wildcard);
                let index = known.unwrap_or_else(|| {
                    self.wildcards.push((wildcard.clone(), Methods::default()));
                    self.wildcards.len() - 1
                });
                &mut self.wildcards[index].1
            }
        }
    }

    /// Whether a rule for every caller allows the method.
    pub(super) fn allow_anyone(&self, path: &str, class: AccessClass) -> bool {
        self.anyone.contain(path, class)
    }

    /// Whether a rule for this identity allows the method.
    pub(super) fn allow(&self, identity: &Identity, path: &str, class: AccessClass) -> bool {
        let exact = || self.exact.get(identity).is_some_and(|methods| methods.contain(path, class));
        let mut wildcards = self.wildcards.iter();
        exact() || wildcards.any(|(who, methods)| who.matches(identity) && methods.contain(path, class))
    }
}

impl Methods {
    fn add(&mut self, pattern: &MethodPattern) {
        match pattern {
            MethodPattern::Class(class) => self.classes[*class as usize] = true,
            MethodPattern::Service(service) => {
                self.services.insert(service.clone());
            }
            MethodPattern::Method(method) => {
                self.methods.insert(method.clone());
            }
        }
    }

    fn contain(&self, path: &str, class: AccessClass) -> bool {
        let (service, method) = (method::split(path).0, path.strip_prefix('/').unwrap_or_default());
        self.classes[class as usize] || self.services.contains(service) || self.methods.contains(method)
    }
}
