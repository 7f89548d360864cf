//! `[access]`: which callers may call which methods.

use std::str::FromStr;

use polywire_core::{
    __runner::nearest,
    AccessClass, Identity, ServiceInfo,
    access::{AccessRules, IdentityPattern, MethodPattern},
    settings::Setting,
};
use serde::{Deserialize, Serialize};

use super::{Config, JwtIssuers, finding::Finding, jwt};

polywire_core::section! {
    /// Access to the methods of the node. Every caller may call public methods, and members of the cluster may call those that
    /// members call each other by; other calls need one of these keys. They are read again at SIGHUP and when the file
    /// changes.
    pub struct Access {
        /// Whether local callers may call every method: from a loopback address, within the process, or over a Unix socket
        /// with the user id of the node. A call to another address of this machine comes from that address, and is not local.
        pub trust_local: bool = true,
        /// Whether every caller may call every method. The log says so at each start.
        pub insecure: bool = false,
        /// Rules: [{ who = ["key:NODE_ID", "spiffe://example.org/ns/*", "dns:NAME", "uid:1000", "token:NAME",
        /// "jwt:ISSUER/SUBJECT", "anyone"], what = ["operator", "package.Service/*", "package.Service/Method"] }].
        pub allow: Allow = Allow::default(),
        /// Issuers of JSON Web Tokens: [{ issuer = "https://idp.example.org", audience = "inventory", jwks = "jwks.json",
        /// leeway = "60s" }]. A caller with a token of one is "jwt:ISSUER/SUBJECT". The files with the issuers' public keys
        /// (JWKS) are read again when they change.
        pub jwt: JwtIssuers = JwtIssuers::default(),
    }
}

/// The rules `[[access.allow]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Allow(pub Vec<AllowRule>);

/// A rule: these identities may call these methods. Both lists have texts, which [`Config::check`](super::Config::check)
/// parses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowRule {
    /// [`IdentityPattern`]s.
    pub who: Vec<String>,
    /// [`MethodPattern`]s.
    pub what: Vec<String>,
}

impl Setting for Allow {
    const EXPECTED: &'static str = "a list of rules such as [{ who = [\"key:NODE_ID\"], what = [\"operator\", \"inventory.v1.Inventory/*\"] }]";
    const ELEMENT: &'static str =
        "a rule such as { who = [\"key:NODE_ID\"], what = [\"operator\", \"inventory.v1.Inventory/*\"] }";
}

impl Access {
    /// The rules for a node's access control. Texts that are no patterns, which the configuration's check refuses, allow
    /// nothing.
    pub fn rules(&self) -> AccessRules {
        let start = if self.insecure { AccessRules::insecure() } else { AccessRules::new() };
        let start = start.trust_local(self.trust_local);
        self.allow.0.iter().fold(start, |rules, rule| rules.allow(parsed(&rule.who), parsed(&rule.what)))
    }
}

fn parsed<T: FromStr>(texts: &[String]) -> impl Iterator<Item = T> {
    texts.iter().filter_map(|text| text.parse().ok())
}

/// The texts that are no patterns, and lists without one.
pub(super) fn malformed(access: &Access) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, rule) in access.allow.0.iter().enumerate() {
        let key = |field| format!("access.allow[{index}].{field}");
        for (field, texts) in [("who", &rule.who), ("what", &rule.what)] {
            if texts.is_empty() {
                found.push(Finding::new(
                    key(field),
                    [],
                    "is empty, so the rule allows nothing; expected an element",
                ));
            }
        }
        found.extend(faults(&key("who"), &rule.who, |text| match text.parse::<IdentityPattern>() {
            Ok(pattern) => jwt::unknown_issuer(&access.jwt, &pattern),
            Err(error) => Some(hint(error.to_string(), text, &KINDS)),
        }));
        found.extend(faults(&key("what"), &rule.what, |text| {
            let classes = AccessClass::ALL.map(AccessClass::name);
            text.parse::<MethodPattern>().err().map(|error| hint(error.to_string(), text, &classes))
        }));
    }
    found
}

/// The patterns that name no service or method of a node with these services.
pub(super) fn unknown(access: &Access, services: &[ServiceInfo]) -> Vec<Finding> {
    let rules = access.allow.0.iter().enumerate();
    rules
        .flat_map(|(index, rule)| {
            let key = format!("access.allow[{index}].what");
            faults(&key, &rule.what, |text| unknown_method(text, services))
        })
        .collect()
}

/// The identities of certificates, if the node has no authorities of such: its callers cannot prove them. Those of a gateway on
/// the same machine may.
pub(super) fn unproved(config: &Config) -> Vec<Finding> {
    if config.cluster.ca.is_some() || config.transport.has_client_ca() {
        return Vec::new();
    }
    let rules = config.access.allow.0.iter().enumerate();
    rules
        .flat_map(|(index, rule)| {
            faults(&format!("access.allow[{index}].who"), &rule.who, |text| {
                let pattern = text.parse::<IdentityPattern>().ok()?;
                is_of_certificate(&pattern).then(|| {
                    format!(
                        "no caller can prove {text:?} to this node, which has no authority of certificates; expected \
                         client_ca of a transport, or cluster.ca"
                    )
                })
            })
        })
        .collect()
}

fn is_of_certificate(pattern: &IdentityPattern) -> bool {
    use IdentityPattern::{One, SpiffeUnder};
    matches!(pattern, SpiffeUnder(_) | One(Identity::Spiffe(_) | Identity::Dns(_)))
}

fn faults(key: &str, texts: &[String], fault: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let found = texts.iter().enumerate().filter_map(|(index, text)| {
        let message = fault(text)?;
        Some(Finding::new(format!("{key}[{index}]"), [], message))
    });
    found.collect()
}

fn unknown_method(text: &str, services: &[ServiceInfo]) -> Option<String> {
    let pattern = text.parse::<MethodPattern>().ok()?;
    let (service, method) = (pattern.service()?, text.rsplit('/').next()?);
    let Some(known) = services.iter().find(|info| info.name() == service) else {
        let names = services.iter().map(ServiceInfo::name);
        let near = nearest(service, names).map(|near| format!("{near}/{method}"));
        return Some(nameless("service", text, near));
    };
    let names = || known.methods().iter().map(polywire_core::Method::name);
    if method == "*" || names().any(|name| name == method) {
        return None;
    }
    let near = nearest(method, names()).map(|near| format!("{service}/{near}"));
    Some(nameless("method", text, near))
}

fn nameless(kind: &str, text: &str, near: Option<String>) -> String {
    let hint = match near {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "expected one that `services` lists".to_owned(),
    };
    format!("no {kind} of this node has the name {text:?}; {hint}")
}

/// The kinds of identities.
const KINDS: [&str; 7] = ["anyone", "key", "spiffe", "dns", "uid", "token", "jwt"];

/// The error, with the nearest of these words where one is alike.
fn hint(error: String, text: &str, words: &[&str]) -> String {
    let word = text.split([':', '/']).next().unwrap_or(text);
    match nearest(word, words.iter().copied()).filter(|near| *near != word) {
        Some(near) => format!("{error}; did you mean \"{near}{}\"?", &text[word.len()..]),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use polywire_core::Method;

    use super::super::{ConfigError, Loader};
    use super::*;

    const SERVICES: &[ServiceInfo] = &[ServiceInfo::new(
        "inventory.v1.Inventory",
        "",
        &[Method::unary("/inventory.v1.Inventory/Get"), Method::unary("/inventory.v1.Inventory/Put")],
    )];

    fn problems(error: ConfigError) -> Vec<String> {
        error.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_are_read_from_every_layer_and_printed_as_they_load() {
        let text =
            "[access]\ntrust_local = false\n[[access.allow]]\nwho = [\"uid:7\"]\nwhat = [\"operator\"]\n";
        let loaded = Loader::new().text("node.toml", text).load().unwrap();
        let rules = loaded.config.access.rules();
        assert!(!rules.trusts_local() && !rules.is_empty() && !rules.is_insecure());
        let again = Loader::new().text("again.toml", loaded.config.to_toml().unwrap()).load().unwrap();
        assert_eq!(again.config, loaded.config);
        let whole = "[{ who = [\"uid:7\"], what = [\"operator\"] }]";
        for (key, value) in [("access.allow", whole), ("access.allow.0", &whole[1..whole.len() - 1])] {
            let flagged = Loader::new().flag(key, value).flag("access.trust_local", "false").load().unwrap();
            assert_eq!(flagged.config, loaded.config, "{key}");
        }
    }

    #[test]
    fn malformed_rules_are_refused_at_their_place_with_the_nearest_word() {
        let text = "[[access.allow]]\nwho = [\"anyone\",\n  \"kye:0a\"]\nwhat = [\"opertor\"]\n\n\
                    [[access.allow]]\nwho = []\nwhat = [\"*\"]\n";
        let found = problems(Loader::new().text("node.toml", text).load().unwrap_err());
        let expected = [
            (
                "node.toml:3:3: access.allow[0].who[1]: invalid identity pattern \"kye:0a\"; expected \"anyone\"",
                "\"key:0a\"?",
            ),
            ("node.toml:4:9: access.allow[0].what[0]: invalid method pattern \"opertor\"", "\"operator\"?"),
            ("node.toml:7:1: access.allow[1].who: is empty", "expected an element"),
            ("node.toml:8:9: access.allow[1].what[0]: invalid method pattern \"*\"", "package.Service/*"),
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, (start, part)) in found.iter().zip(expected) {
            assert!(found.starts_with(start) && found.contains(part), "{found}");
        }
    }

    #[test]
    fn a_rule_without_a_field_or_with_another_one_is_refused() {
        for (rule, reason) in
            [("{ who = [\"anyone\"] }", "what"), ("{ who = [], what = [], whom = [] }", "whom")]
        {
            let text = format!("[access]\nallow = [{rule}]\n");
            let found = problems(Loader::new().text("node.toml", text).load().unwrap_err());
            assert!(
                found[0].starts_with("node.toml:2:10: access.allow[0]: expected a rule such as"),
                "{found:?}"
            );
            assert!(found[0].contains(reason), "{found:?}");
        }
    }

    #[test]
    fn a_rule_that_names_nothing_of_the_node_is_refused_with_the_nearest_name() {
        let text = "[[access.allow]]\nwho = [\"anyone\"]\nwhat = [\"inventory.v1.Inventory/Gett\", \
                    \"inventory.v1.Inventry/*\", \"x.Y/Z\", \"inventory.v1.Inventory/*\", \"operator\"]\n";
        let loaded = Loader::new().text("node.toml", text).load().unwrap();
        let unplaced = loaded.config.check_access(SERVICES).unwrap_err();
        let found = problems(loaded.placed(unplaced));
        assert_eq!(
            found,
            [
                "node.toml:3:9: access.allow[0].what[0]: no method of this node has the name \
                 \"inventory.v1.Inventory/Gett\"; did you mean \"inventory.v1.Inventory/Get\"?",
                "node.toml:3:40: access.allow[0].what[1]: no service of this node has the name \
                 \"inventory.v1.Inventry/*\"; did you mean \"inventory.v1.Inventory/*\"?",
                "node.toml:3:67: access.allow[0].what[2]: no service of this node has the name \"x.Y/Z\"; expected one \
                 that `services` lists",
            ]
        );
        assert!(Config::default().check_access(&[]).is_ok());
    }
}
