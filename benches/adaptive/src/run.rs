use std::{fmt, ops::Range, time::Duration};

use polywire::{
    Channel,
    policy::{Adaptive, Policy},
};
use tokio::{runtime::Builder, task::JoinSet, time::Instant};

use crate::{
    Scenario, Weather,
    way::Way,
    words::{Word, WordsClient},
};

/// What became of the calls of a scenario.
#[derive(Clone, Debug)]
pub struct Run {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// Each call, in the order in which they were made.
    pub calls: Vec<Called>,
}

/// A call, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Called {
    /// When it was made, behind the beginning.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// Whether it was answered over Iroh, or over gRPC; `None` where it failed.
    pub over_iroh: Option<bool>,
    /// Whether the channel took Iroh for the calls of its time, those apart that only explore.
    pub takes_iroh: bool,
}

/// The seed of every run: any would do.
const SEED: u64 = 0x706f_6c79;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// Plays the scenario. It takes no longer than it takes to compute, and comes to the same each time.
///
/// # Panics
/// When the runtime cannot be made.
pub fn run(scenario: &'static Scenario) -> Run {
    // In a thread of its own, whose chances nobody else has drawn from: the channel spreads its pauses by them.
    let playing = || {
        fastrand::seed(SEED);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(play(scenario))
    };
    let calls = std::thread::scope(|scope| scope.spawn(playing).join().expect("a run without a panic"));
    Run { scenario, calls }
}

async fn play(scenario: &Scenario) -> Vec<Called> {
    let ways = [("iroh", scenario.iroh, SEED), ("grpc", scenario.grpc, !SEED)];
    let builder = ways.into_iter().fold(Channel::builder(), |builder, (name, weather, seed)| {
        builder.connection(name, Way::new(name, weather, seed))
    });
    let policy = Policy::default().adaptive(Adaptive::Fastest);
    let channel = builder.policy(policy).connect().await.expect("two transports");
    let client = WordsClient::new(channel.clone());
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / scenario.rate);
    loop {
        ticks.tick().await;
        let (at, client, channel) = (begun.elapsed(), client.clone(), channel.clone());
        if at >= scenario.length {
            break;
        }
        calls.spawn(async move {
            let made = Instant::now();
            let told = channel.explain().expect("a choice");
            let takes_iroh = told.services.first().is_none_or(|service| service.taken == "iroh");
            let answer = client.ask(Word::default()).timeout(DEADLINE).await;
            let over_iroh = answer.ok().map(|word| word.name == "iroh");
            Called { at, took: made.elapsed(), over_iroh, takes_iroh }
        });
    }
    let mut calls = calls.join_all().await;
    calls.sort_by_key(|call| call.at);
    calls
}

impl Run {
    /// The calls of this time, in seconds.
    pub fn within(&self, seconds: Range<f64>) -> impl Iterator<Item = &Called> {
        self.calls.iter().filter(move |call| seconds.contains(&call.at.as_secs_f64()))
    }

    /// The share of the calls of this time that were answered over Iroh; of those that failed nobody knows.
    pub fn share(&self, seconds: Range<f64>) -> f64 {
        let (mut iroh, mut all) = (0.0, 0.0);
        for over_iroh in self.within(seconds).filter_map(|call| call.over_iroh) {
            iroh += f64::from(u8::from(over_iroh));
            all += 1.0;
        }
        if all == 0.0 { 0.0 } else { iroh / all }
    }

    /// How many of the calls of this time failed.
    pub fn failed(&self, seconds: Range<f64>) -> usize {
        self.within(seconds).filter(|call| call.over_iroh.is_none()).count()
    }

    /// How often the channel took another transport than before.
    pub fn switches(&self, seconds: Range<f64>) -> usize {
        let taken: Vec<_> = self.within(seconds).map(|call| call.takes_iroh).collect();
        taken.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    /// The longest time within which no call was answered over Iroh, or over gRPC.
    pub fn longest_without(&self, iroh: bool) -> Duration {
        let mut last = Duration::ZERO;
        let mut longest = Duration::ZERO;
        for call in self.calls.iter().filter(|call| call.over_iroh == Some(iroh)) {
            longest = longest.max(call.at - last);
            last = call.at;
        }
        longest.max(self.scenario.length.saturating_sub(last))
    }
}

/// What the figures of [`Run`]'s `Display` are.
pub const COLUMNS: &str = "scenario,second,iroh_ms,grpc_ms,calls,iroh_share,failed,mean_ms,switches";

/// A line a second, as [`COLUMNS`] says.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { name, length, iroh, grpc, .. } = self.scenario;
        for second in 0..length.as_secs() {
            let (at, now) = (Duration::from_secs(second), second as f64..(second + 1) as f64);
            let ms = |weather: Weather| match weather.refuses {
                true => "-".to_owned(),
                false => weather.latency.as_millis().to_string(),
            };
            let (calls, took) = self
                .within(now.clone())
                .fold((0_u32, Duration::ZERO), |(calls, took), call| (calls + 1, took + call.took));
            let mean = took.as_secs_f64() * 1e3 / f64::from(calls.max(1));
            let (share, failed) = (self.share(now.clone()), self.failed(now.clone()));
            // From the last call of the second before.
            let switches = self.switches(now.start - 1.0 / f64::from(self.scenario.rate)..now.end);
            let (iroh, grpc) = (ms(iroh(at)), ms(grpc(at)));
            writeln!(f, "{name},{second},{iroh},{grpc},{calls},{share:.3},{failed},{mean:.1},{switches}")?;
        }
        Ok(())
    }
}
