//! `transport.strategy.policy`: the policies of single services and methods.

use std::{collections::BTreeMap, fmt, str::FromStr};

use polywire_core::settings::Setting;
use polywire_core::{
    ShortName,
    policy::{Adaptive, Hedge, Policy},
};
use serde::{Deserialize, Serialize};

/// The rules by service or method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(BTreeMap<RuleName, Rule>);

/// The subject of a rule: the short name of a service, optionally with a method: `inventory/Get`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(String);

/// The parts of a [`Policy`] to override.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Whether calls take the transport with the lowest latency and error rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<bool>,
    /// Whether a call may fall back to another transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// The hedge delay of idempotent unary calls, after which a second attempt goes over another transport: `p95` or
    /// `20ms`.
    #[serde(skip_serializing_if = "Option::is_none", with = "hedge")]
    pub hedge: Option<Hedge>,
    /// The most attempts of a call, including the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The share of idempotent unary calls to mirror over another transport, to compare the responses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<f64>,
}

impl Rules {
    /// The rules, those of a service before those of its methods.
    pub fn iter(&self) -> impl Iterator<Item = (&RuleName, &Rule)> {
        self.0.iter()
    }
}

impl RuleName {
    /// The service, and the method if it is a rule of a method.
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self.0.split_once('/') {
            Some((service, method)) => (service, Some(method)),
            None => (&self.0, None),
        }
    }
}

impl Rule {
    /// The policy with this rule's overrides.
    pub(super) fn over(&self, mut policy: Policy) -> Policy {
        if let Some(adaptive) = self.adaptive {
            policy.adaptive = if adaptive { Adaptive::Fastest } else { Adaptive::Off };
        }
        policy.fallback = self.fallback.unwrap_or(policy.fallback);
        policy.hedge = self.hedge.or(policy.hedge);
        policy.max_attempts = self.max_attempts.unwrap_or(policy.max_attempts);
        policy.shadow = self.shadow.unwrap_or(policy.shadow);
        policy
    }
}

impl FromStr for RuleName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let (service, method) =
            name.split_once('/').map_or((name, None), |(service, method)| (service, Some(method)));
        let word = |word: &str| word.parse::<ShortName>().is_ok();
        if word(service) && method.is_none_or(word) {
            return Ok(Self(name.to_owned()));
        }
        Err(format!(
            "invalid name {name:?}; expected the short name of a service or one of its methods, such as \"inventory/Get\""
        ))
    }
}

impl TryFrom<String> for RuleName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<RuleName> for String {
    fn from(name: RuleName) -> Self {
        name.0
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Rules {
    const EXPECTED: &'static str = "a rule for each short name of a service, or service/Method, such as { inventory = { adaptive = true }, \
        \"inventory/Get\" = { hedge = \"p95\", shadow = 0.01, max_attempts = 2, fallback = false } }";

    fn in_range(&self) -> bool {
        let fits = |rule: &Rule| {
            rule.max_attempts.is_none_or(|attempts| (1..=10).contains(&attempts))
                && rule.shadow.is_none_or(|share| (0.0..=1.0).contains(&share))
        };
        self.0.values().all(fits)
    }
}

mod hedge {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use polywire_core::policy::Hedge;

    pub(super) fn serialize<S: Serializer>(hedge: &Option<Hedge>, serializer: S) -> Result<S::Ok, S::Error> {
        match hedge {
            Some(hedge) => serializer.collect_str(hedge),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Hedge>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Some).map_err(D::Error::custom)
    }
}
