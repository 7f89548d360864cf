//! One suite that any transport can be held to: what calls mean must not depend on what carries them.
//!
//! A transport's author needs one test. It is an ordinary one, without a runtime: the suite makes its own.
//!
//! ```
//! # use polywire::memory::{Config as FooConfig, Memory as Foo};
//! # use polywire_conformance::Case;
//! use polywire_conformance::Conformance;
//!
//! # fn test() {
//! let config = FooConfig { name: "tested".to_owned(), ..FooConfig::default() };
//! Conformance::new(Foo, config).run().assert();
//! # }
//! # let config = FooConfig { name: "tested".to_owned(), ..FooConfig::default() };
//! # Conformance::new(Foo, config).only([Case::Unary]).run().assert();
//! ```
//!
//! The transport is used as targets and nodes use it: [bound](Transport::bind) with the configuration, its
//! [target](polywire::transport::Bound::target) printed and [read back](Transport::parse),
//! [served](polywire::transport::Bound::serve), and [dialled](Transport::connect) for each client. A probe,
//! `polywire.conformance.v1.Probe`, is called through its generated client; its handlers live in the same process,
//! so that a case knows when one begins and when it is dropped.
//!
//! # Cases
//! [`Case::ALL`] lists them, by topic. Each runs alone, on servers and clients of its own and in a runtime of its
//! own, and has [some time](Conformance::time_limit) to end. After it, no handler and no task may be left: a task
//! that a transport forgets fails every case. Nothing sleeps in the hope that something has happened. Events are
//! waited for, at most for [`NOTICE`], and what the network says late or not at all for
//! [as long as you say](Conformance::vanished_within).
//!
//! A failure says what was expected, what was found, and which line of the suite says so.
//!
//! # What may differ
//! Limits and how many calls run at a time are told to the suite where the configuration sets them:
//! [`limits`](Conformance::limits), [`concurrency_limit`](Conformance::concurrency_limit). A case that by a
//! transport's nature cannot be asked of it is [left out](Conformance::without) with a reason, which the report
//! and [`matrix`] show. Where a transport may choose, the report notes what it did.
//!
//! While a transport grows, [`only`](Conformance::only) runs the cases that it is ready for.

mod access;
mod cancellation;
mod case;
mod certainty;
mod check;
mod compression;
mod deadlines;
mod death;
mod drain;
mod ends;
mod flow;
mod layers;
mod limits;
mod live;
mod load;
mod metadata;
mod options;
mod panics;
mod probe;
mod report;
mod rig;
mod run;
mod services;
mod shapes;
mod skew;
mod status;
mod traces;
mod waiting;

use std::{fmt, sync::Arc, time::Duration};

use polywire::{ConnectOptions, Limits, transport::Transport};

pub use self::{
    case::Case,
    report::{CaseResult, Outcome, Report, matrix},
};
use self::{
    ends::{Ends, Of},
    rig::Allocated,
};

/// How long a handler may take to begin, and to be dropped once its call is over; and how long a call may take
/// to fail once its peer is gone. Far more than a network on one machine needs, and the bound that the suite
/// holds a transport to.
pub const NOTICE: Duration = Duration::from_secs(2);

/// How long one case may take by default.
const CASE_LIMIT: Duration = Duration::from_secs(30);

/// The suite, for one transport in one configuration.
#[must_use = "nothing happens before `run`"]
pub struct Conformance {
    name: String,
    ends: Arc<dyn Ends>,
    options: ConnectOptions,
    limits: Limits,
    concurrency: Option<usize>,
    vanished_within: Duration,
    allocated: Option<Allocated>,
    time_limit: Duration,
    only: Option<Vec<Case>>,
    without: Vec<(Case, String)>,
}

impl Conformance {
    /// The suite for this transport, which every server is bound with `config` for: one that takes any free
    /// address, for several are bound at a time. The transport needs not be registered.
    pub fn new<T: Transport>(transport: T, config: T::Config) -> Self {
        Self::with(transport, move || config.clone())
    }

    /// As [`new`](Self::new), for a transport whose addresses are never free by themselves: `config` makes
    /// a configuration for each server, with an address of its own.
    pub fn with<T: Transport>(transport: T, config: impl Fn() -> T::Config + Send + Sync + 'static) -> Self {
        Self {
            name: transport.name().to_owned(),
            ends: Arc::new(Of { transport: Arc::new(transport), config: Box::new(config) }),
            options: ConnectOptions::new(),
            limits: Limits::default(),
            concurrency: None,
            vanished_within: NOTICE,
            allocated: None,
            time_limit: CASE_LIMIT,
            only: None,
            without: Vec::new(),
        }
    }

    /// Calls the report by this name, where the transport's own is not enough.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Clients connect with these options, for instance because of a certificate to be trusted.
    pub fn connect_options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// The limits that a server of the configuration keeps, where they are not [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many calls a server of the configuration lets run at a time on one connection. Without it no more is
    /// asked than that a thousand calls at once succeed.
    pub fn concurrency_limit(mut self, calls: usize) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// How long either end may take to notice that the other has vanished without a word, where it is more than
    /// [`NOTICE`]: over a network that has no word for it, the idle timeout and a little.
    pub fn vanished_within(mut self, limit: Duration) -> Self {
        self.vanished_within = limit;
        self
    }

    /// How many bytes this process has allocated, as its global allocator counts, and how many more there may be
    /// after a thousand calls than after the thousand before. Without it memory is not looked at.
    pub fn allocated(mut self, bytes: fn() -> usize, tolerance: usize) -> Self {
        self.allocated = Some(Allocated { read: bytes, tolerance });
        self
    }

    /// How long one case may take before it has failed. Default 30 s.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Runs these cases alone.
    pub fn only(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.only = Some(cases.into_iter().collect());
        self
    }

    /// Leaves a case out that by the transport's nature cannot be asked of it. The report says why.
    pub fn without(mut self, case: Case, reason: impl Into<String>) -> Self {
        self.without.push((case, reason.into()));
        self
    }

    /// Runs the cases one after another, each with servers and clients of its own, in a tokio runtime of its
    /// own; the thread waits. Nothing hangs: a case that does not end has failed.
    ///
    /// # Panics
    /// When no runtime can be made.
    pub fn run(self) -> Report {
        run::run(self)
    }
}

impl fmt::Debug for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("name", &self.name)
            .field("only", &self.only)
            .field("without", &self.without)
            .finish_non_exhaustive()
    }
}
