//! Calls that must not be made twice, while everything breaks that can: each is executed at most once, and its caller
//! is told what is true.

mod caller;
mod dying;
mod fault;
mod frames;
mod proxy;
mod rig;
mod verdict;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use polywire::{
    ConnectOptions,
    iroh::Dialer,
    metrics::{Format, Metrics},
};
use polywire_tests::endpoint;
use tokio::task::JoinSet;

use self::{
    caller::{By, Told},
    fault::{FAULTS, Fault},
    rig::{Hits, Rig},
    verdict::{Kind, Verdicts},
};
use crate::metrics::samples;

/// How many attempts each of the workers sees fail.
const WORKERS: u64 = 4;
const FAILURES: f64 = 600.0;

/// How many orders are under way when something breaks.
const TOGETHER: u64 = 8;

/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(100);

/// One that orders from a peer of its own, and breaks what is between.
struct Worker {
    number: u64,
    chance: Rng,
    rig: Arc<Rig>,
    metrics: Metrics,
    dialler: iroh::Endpoint,
    told: Vec<Told>,
    broken: BTreeMap<Fault, u32>,
}

impl Worker {
    async fn new(number: u64) -> Self {
        Self {
            number,
            chance: Rng::with_seed(number),
            rig: Arc::new(Rig::start().await),
            metrics: Metrics::new(),
            dialler: endpoint::plain().await,
            told: Vec::new(),
            broken: BTreeMap::new(),
        }
    }

    async fn work(mut self) -> Self {
        let begun = Instant::now();
        // Each in turn, so that none is left out.
        for fault in FAULTS.iter().cycle() {
            self.round(*fault).await;
            if self.failed() >= FAILURES {
                break;
            }
            assert!(begun.elapsed() < LONGEST, "{} attempts have failed", self.failed());
        }
        self
    }

    async fn round(&mut self, fault: Fault) {
        let options = self.options();
        let client = fault.client(&options, self.rig.targets()).await;
        let hits = Hits::any(&mut self.chance);
        fault.arm(&self.rig, hits, &mut self.chance);
        let mut calls = JoinSet::new();
        for _ in 0..TOGETHER {
            let name = (self.number << 32) | (self.told.len() + calls.len()) as u64;
            let (by, order, timeout) = fault.order(name, &mut self.chance);
            calls.spawn(caller::order(client.clone(), by, order, timeout));
        }
        fault.strike(&self.rig, hits, &self.dialler, &mut self.chance).await;
        self.told.extend(calls.join_all().await);
        self.rig.refuse(Hits { grpc: false, iroh: false });
        if self.dialler.is_closed() {
            self.dialler = endpoint::plain().await;
        }
        *self.broken.entry(fault).or_default() += 1;
    }

    fn options(&self) -> ConnectOptions {
        let dialer = Dialer::new(self.dialler.clone()).connect_timeout(Duration::from_millis(500));
        caller::options(dialer).metrics(self.metrics.clone())
    }

    /// How many attempts at an order did not get through, over either transport.
    fn failed(&self) -> f64 {
        self.counted("polywire_client_calls_total", |series| {
            series.contains("service=\"ledger.v1.Ledger\"")
                && !series.contains("method=\"Look\"")
                && series.contains("code=\"UNAVAILABLE\"")
        })
    }

    /// How many of them were made over the other transport then, for no handler had seen them.
    fn moved(&self) -> f64 {
        self.counted("polywire_client_fallbacks_total", |series| series.contains("reason=\"not_processed\""))
    }

    /// The sum of the series of this name.
    fn counted(&self, name: &str, of_these: impl Fn(&str) -> bool) -> f64 {
        let page = samples(&self.metrics.render(Format::Text));
        let own = page.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        own.filter(|(series, _)| of_these(series)).map(|(_, count)| count).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn across_a_thousand_failures_each_call_is_executed_at_most_once_and_reported_as_what_it_was() {
    let working = (1..=WORKERS).map(async |number| Worker::new(number).await.work().await);
    let workers = futures_util::future::join_all(working).await;
    let mut verdicts = Verdicts::default();
    for worker in &workers {
        for told in &worker.told {
            verdicts.judge(told, worker.rig.executed(told.name));
        }
    }
    verdicts.assert_in_time();
    let failed: f64 = workers.iter().map(Worker::failed).sum();
    let moved: f64 = workers.iter().map(Worker::moved).sum();
    let broken: u64 = workers.iter().map(|worker| worker.rig.proxy.broken()).sum();
    let said = workers.iter().map(|worker| worker.rig.proxy.refused_and_left());
    let [refused, left] = said.reduce(|a, b| [a[0] + b[0], a[1] + b[1]]).unwrap();
    println!(
        "{failed} attempts failed, of which {moved} were made over the other transport; of gRPC {broken} connections were \
         broken, {left} went away, and {refused} streams were refused: {verdicts:?}"
    );
    assert!(failed >= 1_000.0, "{failed} attempts failed");
    // Few: what a connection did not take is made once more over the same transport first.
    assert!(moved >= 10.0, "{moved} calls were made over the other transport");
    assert!(broken >= 20 && left >= 10 && refused >= 10, "{broken}, {left}, {refused}");
    for fault in FAULTS {
        let times: u32 = workers.iter().filter_map(|worker| worker.broken.get(fault)).sum();
        assert!(times >= 4, "{fault:?} happened {times} times");
    }
    for by in [By::Enter, By::EnterAll, By::Follow] {
        assert!(verdicts.failed(by) >= 50, "{by:?}: {verdicts:?}");
    }
    // Everything that can become of a call has become of some.
    for (kind, times) in
        [(Kind::Done, 1), (Kind::NotProcessed, 0), (Kind::Maybe, 0), (Kind::Maybe, 1), (Kind::Failed, 1)]
    {
        assert!(verdicts.count(kind, times) >= 10, "{kind:?}, executed {times} times: {verdicts:?}");
    }
}
