//! Which callers a method is for.

use std::{fmt, str::FromStr};

/// The class of a method: which callers it is for. A trait says it by `#[rpc(access = "public")]` for a method and
/// `#[service(access = "operator")]` for all methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessClass {
    /// For every caller, such as health checks.
    Public,
    /// For the members of the node's cluster, proved by their keys.
    Member,
    /// For those who operate the node.
    Operator,
    /// For the application's callers. The default.
    #[default]
    Application,
}

impl AccessClass {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Public, Self::Member, Self::Operator, Self::Application];

    /// The name, as in the attributes and in the configuration: `public`, `member`, `operator` or `application`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Member => "member",
            Self::Operator => "operator",
            Self::Application => "application",
        }
    }
}

impl fmt::Display for AccessClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is no [`AccessClass`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAccessClass(String);

impl fmt::Display for UnknownAccessClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid access class {:?}; expected public, member, operator or application", self.0)
    }
}

impl std::error::Error for UnknownAccessClass {}

impl FromStr for AccessClass {
    type Err = UnknownAccessClass;

    fn from_str(text: &str) -> Result<Self, UnknownAccessClass> {
        let known = Self::ALL.into_iter().find(|class| class.name() == text);
        known.ok_or_else(|| UnknownAccessClass(text.to_owned()))
    }
}
