use polywire_core::{AccessClass, access::MethodPattern};
use polywire_runner::tokens::Token;

/// A key that a token may be for.
pub(super) const KEY: [u8; 32] = [7; 32];

/// Another one.
pub(super) const OTHER_KEY: [u8; 32] = [8; 32];

/// Paths that patterns may mean.
const PATHS: [&str; 7] = [
    "/a.v1.A/Get",
    "/a.v1.A/List",
    "/a.v1.A/",
    "/a.v1.AB/Get",
    "/a.v1.B/Get",
    "/a.v1/A.Get",
    "/polywire.raft.v1.Raft/Append",
];

/// What a token lets its holder do, asked call by call.
#[derive(Debug)]
pub(super) struct Power {
    pub(super) methods: Vec<MethodPattern>,
    pub(super) to: Option<[u8; 32]>,
    pub(super) expires: u64,
}

impl Power {
    pub(super) fn of(token: &Token) -> Self {
        let methods = token.methods().iter().map(|method| method.parse().expect("a pattern")).collect();
        Self { methods, to: token.to(), expires: token.expires() }
    }

    fn allows(&self, path: &str, class: AccessClass, key: [u8; 32], now: u64) -> bool {
        now < self.expires
            && self.to.is_none_or(|to| to == key)
            && self.methods.iter().any(|method| method.matches(path, class))
    }

    /// Each call that this allows, the other allows.
    pub(super) fn assert_within(&self, other: &Self) {
        let times = [0, self.expires.saturating_sub(1), self.expires, other.expires, u64::MAX];
        for path in PATHS {
            for class in AccessClass::ALL {
                for key in [KEY, OTHER_KEY, [0; 32]] {
                    for now in times {
                        assert!(
                            !self.allows(path, class, key, now) || other.allows(path, class, key, now),
                            "{path} of class {class} at {now} for {key:?}: {self:?} allows what {other:?} does not"
                        );
                    }
                }
            }
        }
    }
}
