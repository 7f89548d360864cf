//! `transport.strategy.policy`: how the calls of single services and methods choose.

use std::{collections::BTreeMap, fmt, str::FromStr};

use polywire_core::settings::Setting;
use polywire_core::{
    ShortName,
    policy::{Adaptive, Hedge, Policy},
};
use serde::{Deserialize, Serialize};

/// A rule for each service or method that has one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(BTreeMap<RuleName, Rule>);

/// Whose rule it is: the short name of a service, or that and a method, `inventory/Get`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(String);

/// What is set of a [`Policy`]; the rest is as without the rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Whether the transport that answers fastest and fails least is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<bool>,
    /// Whether a call may go over another transport than the one it prefers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// When an idempotent unary call is made over another transport as well: `p95`, or `20ms`.
    #[serde(skip_serializing_if = "Option::is_none", with = "hedge")]
    pub hedge: Option<Hedge>,
    /// How often a call is attempted, the first time included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The share of idempotent unary calls that are made over another transport too, to compare the answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<f64>,
}

impl Rules {
    /// Each rule, those of services before those of their methods.
    pub fn iter(&self) -> impl Iterator<Item = (&RuleName, &Rule)> {
        self.0.iter()
    }
}

impl RuleName {
    /// The service, and the method where it is one's.
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self.0.split_once('/') {
            Some((service, method)) => (service, Some(method)),
            None => (&self.0, None),
        }
    }
}

impl Rule {
    /// The policy with what is set here.
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
            "{name:?} is neither the short name of a service nor that of one of its methods, such as \"inventory/Get\""
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
