//! What the channel's metrics say of it.

use std::collections::BTreeMap;

use super::*;
use crate::{ConnectOptions, context::Path};

/// A client over Iroh, which is preferred, and gRPC, that counts.
async fn metered(policy: impl Into<PolicyHandle>) -> (WordsClient, Way, Way, Recorder) {
    let (channel, iroh, grpc, metrics) = channel(policy).await;
    (WordsClient::new(channel), iroh, grpc, metrics)
}

async fn channel(policy: impl Into<PolicyHandle>) -> (Channel, Way, Way, Recorder) {
    let (iroh, grpc, metrics) = (Way::new("iroh"), Way::new("grpc"), Recorder::default());
    let builder = Channel::builder().connection("iroh", iroh.clone()).connection("grpc", grpc.clone());
    let builder = builder.options(ConnectOptions::new().metrics(metrics.clone())).policy(policy);
    (builder.connect().await.unwrap(), iroh, grpc, metrics)
}

/// The samples of this family that are not zero, by the values of their labels in this order.
fn counted(metrics: &Recorder, family: &str, labels: &[&str]) -> BTreeMap<String, f64> {
    let page = metrics.page();
    let prefix = format!("polywire_client_{family}{{");
    let samples = page.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once("} "));
    let value = |set: &str, label: &str| {
        let pairs = set.split(',').filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(name, _)| *name == label);
        found.expect("a label of the family").1.trim_matches('"').to_owned()
    };
    samples
        .map(|(set, sample)| {
            let values: Vec<_> = labels.iter().map(|label| value(set, label)).collect();
            (values.join(" "), sample.parse().unwrap())
        })
        .filter(|(_, sample)| *sample > 0.0)
        .collect()
}

fn attempts(metrics: &Recorder) -> BTreeMap<String, f64> {
    counted(metrics, "attempts_total", &["method", "transport", "code", "attempt"])
}

fn circuits(metrics: &Recorder) -> BTreeMap<String, f64> {
    counted(metrics, "circuits", &["transport", "state"])
}

fn expected<const N: usize>(samples: [(&str, f64); N]) -> BTreeMap<String, f64> {
    samples.into_iter().map(|(labels, sample)| (labels.to_owned(), sample)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_counted_with_its_transport_its_code_and_its_number() {
    let (client, iroh, _, metrics) = metered(Policy::default()).await;
    assert_eq!(write(&client).await.unwrap(), "iroh");
    iroh.is(Mood::Fails(refused()));
    assert_eq!(write(&client).await.unwrap(), "grpc");
    let now =
        expected([("Write iroh OK 1", 1.0), ("Write iroh UNAVAILABLE 1", 1.0), ("Write grpc OK 2", 1.0)]);
    assert_eq!(attempts(&metrics), now);
    let chosen = counted(&metrics, "chosen_total", &["service", "transport"]);
    assert_eq!(chosen, expected([("words.v1.Words iroh", 2.0)]), "whatever worked then");
}

#[tokio::test(start_paused = true)]
async fn of_a_hedged_pair_the_slower_is_counted_as_given_up() {
    let (client, iroh, _, metrics) = metered(Policy::default().hedge(Hedge::After(20 * MS))).await;
    read(&client).await.unwrap();
    tokio::time::sleep(1_000 * MS).await;
    // Of the other way nothing is known until somebody has asked.
    iroh.is(Mood::Well(300 * MS));
    assert_eq!(read(&client).await.unwrap(), "grpc");
    let now = expected([("Read iroh OK 1", 1.0), ("Read iroh CANCELLED 1", 1.0), ("Read grpc OK 2", 1.0)]);
    assert_eq!(attempts(&metrics), now);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_its_deadline_ends_is_counted_as_that() {
    let (client, iroh, _, metrics) = metered(Policy::default()).await;
    write(&client).await.unwrap();
    iroh.is(Mood::Well(10_000 * MS));
    client.write(Word::default()).timeout(100 * MS).await.unwrap_err();
    let now = expected([("Write iroh OK 1", 1.0), ("Write iroh DEADLINE_EXCEEDED 1", 1.0)]);
    assert_eq!(attempts(&metrics), now);
}

#[tokio::test(start_paused = true)]
async fn a_streams_attempt_is_counted_at_its_end() {
    let (client, _, _, metrics) = metered(Policy::default()).await;
    let mut words = client.repeat(Word::default()).await.unwrap();
    words.message().await.unwrap().unwrap();
    assert_eq!(attempts(&metrics), expected([]));
    while words.message().await.unwrap().is_some() {}
    assert_eq!(attempts(&metrics), expected([("Repeat iroh OK 1", 1.0)]));
    drop(client.repeat(Word::default()).await.unwrap());
    let now = expected([("Repeat iroh OK 1", 1.0), ("Repeat iroh CANCELLED 1", 1.0)]);
    assert_eq!(attempts(&metrics), now);
}

#[tokio::test(start_paused = true)]
async fn names_that_a_peer_made_up_are_counted_as_unknown() {
    let (channel, _, _, metrics) = channel(Policy::default()).await;
    for number in 0..20 {
        let path = Path::parse(format!("/made.up.V{number}/Method{number}").into()).unwrap();
        let cx = Context { path, ..Context::new() };
        channel.unary(cx, Payload::new(Word::default())).await.unwrap_err();
    }
    let now = attempts(&metrics);
    assert_eq!(now["unknown iroh UNIMPLEMENTED 1"], 20.0, "{now:?}");
    assert!(now.keys().all(|labels| labels.starts_with("unknown ")), "{now:?}");
    // The name of a method is known once this program has called it, whoever was first.
    for path in [Path::parse("/words.v1.Words/Read".into()).unwrap(), Path::Static("/words.v1.Words/Read")] {
        let cx = Context { path, ..Context::new() };
        channel.unary(cx, Payload::new(Word::default())).await.unwrap();
    }
    let now = attempts(&metrics);
    assert_eq!((now["unknown iroh OK 1"], now["Read iroh OK 1"]), (1.0, 1.0), "{now:?}");
    assert!(!metrics.page().contains("made"));
}

#[tokio::test(start_paused = true)]
async fn a_circuit_is_counted_in_the_state_that_it_is_in_while_its_channel_is_there() {
    let (client, iroh, _, metrics) = metered(Policy::default()).await;
    assert_eq!(circuits(&metrics), expected([("iroh untried", 1.0), ("grpc untried", 1.0)]));
    read(&client).await.unwrap();
    assert_eq!(circuits(&metrics), expected([("iroh closed", 1.0), ("grpc untried", 1.0)]));
    iroh.is(Mood::Fails(refused()));
    read(&client).await.unwrap();
    tokio::time::sleep(100 * MS).await;
    assert_eq!(circuits(&metrics), expected([("iroh open", 1.0), ("grpc closed", 1.0)]));
    iroh.is(Mood::Well(MS));
    tokio::time::sleep(1_000 * MS).await;
    assert_eq!(circuits(&metrics), expected([("iroh closed", 1.0), ("grpc closed", 1.0)]));
    drop(client);
    tokio::task::yield_now().await;
    assert_eq!(circuits(&metrics), expected([]));
}

#[tokio::test(start_paused = true)]
async fn the_share_is_what_the_policy_asks_for_and_the_calls_follow_it() {
    let policies = PolicyHandle::from(Policy::default().share(0.25));
    let (client, _, _, metrics) = metered(policies.clone()).await;
    let share = || counted(&metrics, "share", &["service", "transport"]);
    for _ in 0..100 {
        read(&client).await.unwrap();
    }
    let words = |iroh, grpc| expected([("words.v1.Words iroh", iroh), ("words.v1.Words grpc", grpc)]);
    assert_eq!(share(), words(0.25, 0.75));
    let chosen = counted(&metrics, "chosen_total", &["service", "transport"]);
    let over_iroh = chosen["words.v1.Words iroh"];
    assert!((24.0..=27.0).contains(&over_iroh), "{chosen:?}");
    policies.set(Policies::new(Policy::default().share(0.5)));
    read(&client).await.unwrap();
    assert_eq!(share(), words(0.5, 0.5));
    policies.set(Policies::new(Policy::default().adaptive(Adaptive::Fastest)));
    read(&client).await.unwrap();
    assert_eq!(share(), expected([]), "measurements decide");
}
