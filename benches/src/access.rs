//! What it costs a call to be decided about, as a node does it: for a caller whose identity is known, by its connection or
//! by a token that was verified before.

use std::{
    fmt,
    hint::black_box,
    sync::Arc,
    time::{Duration, SystemTime},
};

use clap::Parser;
use futures_util::FutureExt as _;
use iroh::SecretKey;
use polywire::{
    Authorize as _, Caller, Context, Identity, Status,
    access::{AccessControl, AccessRules, Credential, Grant, IdentityPattern, MethodPattern},
    jwt::{Issuer, Jwts},
    tokens::{Invitation, Tokens},
};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

mod issuer;

use crate::{
    contestant,
    counted::Count,
    report::{Machine, Run},
    spread::Spread,
};

/// The decision about a call, for callers of several kinds.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// How often each caller plays
    #[arg(long, default_value_t = 21)]
    pub rounds: usize,
    /// How many calls are decided about each time
    #[arg(long, default_value_t = 200_000)]
    pub calls: u32,
    /// Fail where a decision costs more than is promised
    #[arg(long)]
    pub strict: bool,
    /// Where the report goes in JSON
    #[arg(long)]
    pub json: Option<std::path::PathBuf>,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What one run found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// When and how.
    pub run: Run,
    /// Each caller.
    pub rows: Vec<Row>,
}

/// The decisions about the calls of one caller.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which.
    pub caller: &'static str,
    /// Processor time of a decision in nanoseconds.
    pub time: Spread,
    /// Allocations of a decision.
    pub allocations: Spread,
}

/// What a decision may cost.
pub const MOST_TIME: Duration = Duration::from_nanos(300);

/// How many rules there are. A decision does not depend on their number.
const RULES: u32 = 1_000;

const METHOD: &str = "/inventory.v1.Inventory/Get";

/// How many calls are prepared at a time. What prepares them is not counted.
const PREPARED: u32 = 256;

/// Holds the contest. `count` tells what the process's allocator has done.
///
/// # Errors
/// When a call is refused.
pub fn hold(arguments: &Arguments, count: fn() -> Count) -> contestant::Result<Report> {
    if arguments.rounds == 0 || arguments.calls == 0 {
        return Err("--rounds and --calls: expected at least 1".into());
    }
    let mut run = Run::begin(arguments.rounds, 0.0)?;
    let node = Deciding::new()?;
    let callers = callers(&node)?;
    let mut samples: Vec<_> = callers.iter().map(|_| Samples::default()).collect();
    for round in 0..arguments.rounds {
        for offset in 0..callers.len() {
            let next = (round + offset) % callers.len();
            node.decide(&callers[next], arguments.calls / 8, count)?;
            samples[next].take(node.decide(&callers[next], arguments.calls, count)?, arguments.calls);
        }
    }
    run.end();
    let rows = callers.iter().zip(&samples).filter_map(|(caller, samples)| samples.row(caller.name));
    Ok(Report { machine: Machine::read()?, run, rows: rows.collect() })
}

impl Report {
    /// Whether what is promised holds.
    pub fn is_met(&self) -> bool {
        let most = MOST_TIME.as_nanos() as f64;
        self.rows.iter().all(|row| row.time.median <= most && row.allocations.max == 0.0)
    }
}

/// What decides about the calls of a node.
struct Deciding {
    access: AccessControl,
    tokens: Tokens,
    token: String,
    jwt: String,
    _data: tempfile::TempDir,
}

impl Deciding {
    /// Rules for many callers, and three kinds of credentials, of which a call has one at most.
    fn new() -> contestant::Result<Self> {
        let data = tempfile::tempdir()?;
        let tokens = Tokens::open(SecretKey::from_bytes(&[7; 32]), data.path())?;
        let invitation = Invitation {
            name: "colleague".to_owned(),
            targets: vec!["grpcs://inventory.example.org:7001".to_owned()],
            methods: vec!["inventory.v1.Inventory/*".to_owned()],
            expires: SystemTime::now() + Duration::from_secs(3_600),
            uses: None,
            to: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let token =
            runtime.block_on(tokens.issue(invitation)).map_err(|status| status.to_string())?.to_string();
        let (jwks, jwt) = issuer::issued()?;
        let file = data.path().join("jwks.json");
        std::fs::write(&file, jwks)?;
        let jwts = Jwts::new();
        jwts.set([Issuer::open(issuer::NAME, ["inventory"], file, Duration::ZERO)?]);
        let access = AccessControl::new(rules()?);
        access.add_credential(Arc::new(tokens.clone()));
        access.add_credential(Arc::new(jwts));
        access.add_credential(Arc::new(Absent("polywire-proof-bin")));
        Ok(Self { access, tokens, token, jwt, _data: data })
    }

    /// Decides about so many calls of this caller, and counts the uses of their tokens.
    fn decide(&self, caller: &Calling, number: u32, count: fn() -> Count) -> contestant::Result<Cost> {
        let mut cost = Cost::default();
        for decided in (0..number).step_by(PREPARED as usize) {
            let prepared = (decided..number.min(decided + PREPARED)).map(|_| caller.call());
            let mut calls = prepared.collect::<contestant::Result<Vec<_>>>()?;
            let (allocated, begun) = (count().allocations, thread_time());
            for cx in &mut calls {
                black_box(&self.access).authorize(black_box(&mut *cx))?;
                self.tokens.count(cx).now_or_never().ok_or("expected no use to be counted")??;
            }
            cost.time += thread_time() - begun;
            cost.allocations += count().allocations - allocated;
        }
        Ok(cost)
    }
}

fn rules() -> contestant::Result<AccessRules> {
    let methods = || -> contestant::Result<[MethodPattern; 2]> {
        Ok(["inventory.v1.Inventory/Get".parse()?, "inventory.v1.Inventory/List".parse()?])
    };
    let mut rules = AccessRules::new();
    for number in 0..RULES {
        rules = rules.allow([IdentityPattern::from(key(number))], methods()?);
    }
    let others =
        ["spiffe://example.org/ns/*", "dns:api.example.org", "uid:1000", "jwt:https://idp.example.org/*"];
    for other in others {
        rules = rules.allow([other.parse()?], methods()?);
    }
    Ok(rules)
}

/// A kind of credential under a key of the metadata.
struct Absent(&'static str);

impl Credential for Absent {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        cx.metadata().get_bin(self.0).map(|_| Err(Status::unauthenticated("expected none")))
    }
}

/// A connection on which calls arrive.
struct Calling {
    name: &'static str,
    caller: Arc<Caller>,
    bearer: Option<String>,
}

impl Calling {
    fn new(name: &'static str, caller: Caller) -> Self {
        Self { name, caller: Arc::new(caller), bearer: None }
    }

    /// A call as it arrives.
    fn call(&self) -> contestant::Result<Context> {
        let cx = Context::incoming(METHOD, self.caller.clone())?;
        let cx = cx.with_metadata("tenant", "north")?.with_metadata("request-id", "0123456789")?;
        Ok(match &self.bearer {
            Some(bearer) => cx.with_metadata("authorization", format!("Bearer {bearer}"))?,
            None => cx,
        })
    }
}

fn callers(node: &Deciding) -> contestant::Result<[Calling; 7]> {
    let remote = |transport| Caller::new(transport).with_address("192.0.2.1:50051");
    let proved = |transport, identity| remote(transport).with_identity(identity);
    let spiffe = Identity::Spiffe("spiffe://example.org/ns/shop/sa/frontend".to_owned());
    let bearer = |name, bearer: &str| Calling {
        bearer: Some(bearer.to_owned()),
        ..Calling::new(name, remote("grpc"))
    };
    Ok([
        Calling::new("local", Caller::new("grpc").local()),
        Calling::new("node key", proved("iroh", key(RULES / 2))),
        Calling::new("user id", proved("unix", Identity::Uid(1_000))),
        Calling::new("DNS name", proved("grpc", "dns:api.example.org".parse()?)),
        Calling::new("SPIFFE id, wildcard", proved("grpc", spiffe)),
        bearer("token", &node.token),
        bearer("JSON Web Token", &node.jwt),
    ])
}

fn key(number: u32) -> Identity {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    Identity::Key(key)
}

/// What the decisions about some calls have cost.
#[derive(Default)]
struct Cost {
    time: Duration,
    allocations: u64,
}

/// The rounds of one caller.
#[derive(Default)]
struct Samples {
    time: Vec<f64>,
    allocations: Vec<f64>,
}

impl Samples {
    fn take(&mut self, cost: Cost, number: u32) {
        self.time.push(cost.time.as_nanos() as f64 / f64::from(number));
        self.allocations.push(cost.allocations as f64 / f64::from(number));
    }

    fn row(&self, caller: &'static str) -> Option<Row> {
        Some(Row {
            caller,
            time: Spread::of(self.time.iter().copied())?,
            allocations: Spread::of(self.allocations.iter().copied())?,
        })
    }
}

/// The processor's, so that what else the machine does is not in it.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The decision about a call, with {RULES} rules and three kinds of credentials")?;
        writeln!(f, "  {:<20} {:>9}   allocations", "caller", "ns")?;
        for Row { caller, time, allocations } in &self.rows {
            let range = format!("({:.0}..{:.0})", time.min, time.max);
            writeln!(f, "  {caller:<20} {:>9.0}   {:<11.2}   {range}", time.median, allocations.max)?;
        }
        let verdict = if self.is_met() { "met" } else { "NOT MET" };
        writeln!(f, "each: at most {} ns and no allocation: {verdict}", MOST_TIME.as_nanos())
    }
}
