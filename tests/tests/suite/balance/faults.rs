use std::{sync::Arc, time::Duration};

use polywire::{Code, SubchannelState, policy::Policy};
use polywire_tests::{
    lab::{Conditions, Direction, Lab},
    patience::PATIENCE,
};
use tokio::time::Instant;

use super::{
    load::{self, Ended, INCREMENT},
    peer::{Executed, Number, Peer},
};

const NO_UDP: fn() -> Conditions = || Conditions { udp_dropped: true, ..Conditions::default() };

/// What a call may take beyond its deadline.
const BEYOND: Duration = Duration::from_millis(100);

/// Each increment was executed at most once, and one that succeeded just once; each call ended by its deadline.
fn assert_honest(calls: &[Ended], executed: &Executed) {
    for call in calls {
        let deadline = if call.increment.is_some() { INCREMENT } else { load::READ };
        // The machine may be busy with other tests for a moment.
        assert!(call.took <= deadline + 10 * BEYOND, "{:?} took {:?}", call.outcome, call.took);
        let Some(name) = call.increment else { continue };
        let times = executed.times(name);
        assert!(times <= 1, "increment {name} was executed {times} times");
        match &call.outcome {
            Ok(()) => assert_eq!(times, 1, "increment {name} is said to be executed"),
            Err(status) if status.is_not_processed() => assert_eq!(times, 0, "increment {name}: {status}"),
            Err(_) => {}
        }
    }
}

#[tokio::test]
async fn with_udp_blocked_the_first_call_is_answered_soon_and_the_next_at_once() {
    let Some(lab) = Lab::or_skip().await else { return };
    let peer = Peer::start(&lab).await;
    lab.set(NO_UDP());
    let targets = peer.targets.clone();
    let calling = lab.near().spawn(async move {
        let (client, channel) = Peer::client(targets, Policy::default()).await;
        let begun = Instant::now();
        client.increment(Number { value: 1 }).await.unwrap();
        let first = begun.elapsed();
        let begun = Instant::now();
        for value in 2..=100 {
            client.increment(Number { value }).await.unwrap();
        }
        (first, begun.elapsed(), channel.explain().unwrap())
    });
    let (first, later, told) = within_seconds(60, calling).await.unwrap();
    assert!(first < Duration::from_secs(3), "{first:?}");
    assert!(later < Duration::from_secs(3), "99 calls took {later:?}");
    assert_eq!(told.subchannels[1].state, SubchannelState::Closed, "{told}");
    assert_ne!(told.subchannels[0].state, SubchannelState::Closed, "{told}");
    assert_eq!(peer.executed.total(), 100);
    assert!(lab.counters(Direction::ToFar).dropped.udp > 0, "Iroh was tried");
}

#[tokio::test]
async fn udp_that_is_cut_under_load_costs_no_idempotent_call_and_comes_back() {
    let Some(lab) = Lab::or_skip().await else { return };
    let lab = Arc::new(lab);
    let peer = Peer::start(&lab).await;
    let (targets, link) = (peer.targets.clone(), lab.clone());
    let cut_at = Duration::from_secs(2);
    let calling = lab.near().spawn(async move {
        let (client, channel) = Peer::client(targets, Policy::default()).await;
        client.read(Number::default()).await.unwrap();
        let taken = channel.explain().unwrap().services[0].taken;
        let mut cut = false;
        let calls = load::run(&client, Duration::from_secs(6), |at| {
            if at >= cut_at && !cut {
                cut = true;
                link.set(NO_UDP());
            }
        })
        .await;
        let fallen_back = channel.explain().unwrap();
        link.set(Conditions::default());
        let restored = Instant::now();
        let mut asking = Asking::begin();
        while channel.explain().unwrap().services[0].taken != "iroh" {
            asking.again().await;
            client.read(Number::default()).await.unwrap();
        }
        let back_after = restored.elapsed();
        // And it stays there.
        for _ in 0..200 {
            client.read(Number::default()).await.unwrap();
            assert_eq!(channel.explain().unwrap().services[0].taken, "iroh");
        }
        (taken, calls, fallen_back, back_after)
    });
    let (taken, calls, fallen_back, back_after) = within_seconds(120, calling).await.unwrap();
    assert_eq!(taken, "iroh");
    assert_eq!(fallen_back.services[0].taken, "grpc", "{fallen_back}");
    assert!(back_after < Duration::from_secs(30), "{back_after:?}");
    assert_honest(&calls, &peer.executed);
    for call in &calls {
        let lost = call.outcome.as_ref().err();
        if call.increment.is_none() {
            assert!(lost.is_none(), "a read at {:?}: {:?}", call.at, call.outcome);
        }
        let in_the_dark = call.at + INCREMENT >= cut_at && call.at < cut_at + Duration::from_secs(3);
        assert!(lost.is_none() || in_the_dark, "a call at {:?}: {:?}", call.at, call.outcome);
    }
    let lost = calls.iter().filter(|call| call.outcome.is_err()).count();
    assert!(lost <= 40, "{lost} of {} calls were lost with the path", calls.len());
    assert!(lab.counters(Direction::ToFar).dropped.udp > 0);
}

#[tokio::test]
async fn tcp_that_is_cut_costs_nothing_where_iroh_works() {
    let Some(lab) = Lab::or_skip().await else { return };
    let lab = Arc::new(lab);
    let peer = Peer::start(&lab).await;
    let (targets, link) = (peer.targets.clone(), lab.clone());
    let calling = lab.near().spawn(async move {
        let (client, channel) = Peer::client(targets, Policy::default().prefer(["grpc"])).await;
        client.read(Number::default()).await.unwrap();
        let taken = channel.explain().unwrap().services[0].taken;
        link.set(Conditions { tcp_dropped: true, ..Conditions::default() });
        let outcome = client.read(Number::default()).timeout(load::READ).await;
        let begun = Instant::now();
        client.increment(Number { value: 1 }).await.unwrap();
        (taken, outcome, begun.elapsed())
    });
    let (taken, outcome, next) = within_seconds(60, calling).await.unwrap();
    assert_eq!(taken, "grpc");
    outcome.unwrap();
    assert!(next < Duration::from_secs(3), "{next:?}");
}

#[tokio::test]
async fn with_everything_cut_each_call_ends_by_its_deadline_and_the_peer_is_found_again() {
    let Some(lab) = Lab::or_skip().await else { return };
    let lab = Arc::new(lab);
    let peer = Peer::start(&lab).await;
    let (targets, link) = (peer.targets.clone(), lab.clone());
    let calling = lab.near().spawn(async move {
        let (client, channel) = Peer::client(targets, Policy::default()).await;
        client.read(Number::default()).await.unwrap();
        link.set(Conditions { down: true, ..Conditions::default() });
        let calls = load::run(&client, Duration::from_secs(2), |_| ()).await;
        link.set(Conditions::default());
        let mut asking = Asking::begin();
        while client.read(Number::default()).timeout(Duration::from_secs(1)).await.is_err() {
            asking.again().await;
        }
        (calls, channel.explain().unwrap())
    });
    let (calls, told) = within_seconds(120, calling).await.unwrap();
    assert_honest(&calls, &peer.executed);
    for call in &calls {
        let code = call.outcome.as_ref().err().map(polywire::Status::code);
        assert!(matches!(code, Some(Code::DeadlineExceeded | Code::Unavailable)), "{:?}", call.outcome);
    }
    assert!(told.subchannels.iter().any(|route| route.state == SubchannelState::Closed), "{told}");
}

#[tokio::test]
async fn a_thousand_increments_over_a_link_that_doubles_and_shuffles_are_a_thousand() {
    let Some(lab) = Lab::or_skip().await else { return };
    let peer = Peer::start(&lab).await;
    lab.set(Conditions { duplicate: 50.0, reorder: 20.0, ..Conditions::default() });
    let targets = peer.targets.clone();
    let calling = lab.near().spawn(async move {
        let (client, _) = Peer::client(targets, Policy::default()).await;
        for value in 0..1_000 {
            client.increment(Number { value }).await.unwrap();
        }
        client.read(Number::default()).await.unwrap().value
    });
    assert_eq!(within_seconds(120, calling).await.unwrap(), 1_000);
    assert!((0..1_000).all(|name| peer.executed.times(name) == 1));
    assert!(lab.counters(Direction::ToFar).duplicated > 100, "the link doubles");
}

#[tokio::test]
async fn on_a_long_lossy_link_nothing_is_lost_and_nobody_is_set_aside() {
    let Some(lab) = Lab::or_skip().await else { return };
    let peer = Peer::start(&lab).await;
    lab.set(Conditions { delay: Duration::from_millis(25), loss: 2.0, ..Conditions::default() });
    let targets = peer.targets.clone();
    let calling = lab.near().spawn(async move {
        let (client, channel) = Peer::client(targets, Policy::default()).await;
        let calls = load::run(&client, Duration::from_secs(3), |_| ()).await;
        (calls, channel.explain().unwrap())
    });
    let (calls, told) = within_seconds(60, calling).await.unwrap();
    assert_honest(&calls, &peer.executed);
    let lost: Vec<_> = calls.iter().filter(|call| call.outcome.is_err()).map(|call| &call.outcome).collect();
    assert!(lost.is_empty(), "{lost:?}\n{told}");
}

/// The future's output, which takes so many seconds at most.
async fn within_seconds<F: Future>(seconds: u64, future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(seconds), future).await.expect("it ends")
}

/// Asking again and again, for half a minute at most.
struct Asking {
    begun: Instant,
    ticks: tokio::time::Interval,
}

impl Asking {
    fn begin() -> Self {
        Self { begun: Instant::now(), ticks: tokio::time::interval(Duration::from_millis(10)) }
    }

    async fn again(&mut self) {
        self.ticks.tick().await;
        assert!(self.begun.elapsed() < PATIENCE, "not within {PATIENCE:?}");
    }
}
