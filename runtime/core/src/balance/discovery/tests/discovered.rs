use std::sync::{Arc, atomic::Ordering};

use futures_util::FutureExt as _;
use tokio::time::sleep;

use super::{super::Discovered, *};
use crate::policy::Policy;

/// A client of whoever is at this target, which prefers Iroh.
fn client(net: &Net, seed: &str) -> WordsClient {
    let setup = net.setup(Policy::default().prefer(["iroh"]), false);
    WordsClient::new(Discovered::new(setup, vec![net.subchannel(seed)]).into_channel())
}

/// Over which target a call goes, once what was just learnt has been tried.
async fn settled(client: &WordsClient) -> String {
    read(client).await.unwrap();
    sleep(10 * MS).await;
    read(client).await.unwrap();
    sleep(10 * MS).await;
    read(client).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_first_call_waits_for_nothing_and_later_ones_go_where_the_directory_says() {
    let net = Net::default();
    let one = net.host("one");
    let client = client(&net, "grpc://one");
    one.directory_is_dark.store(true, Ordering::Relaxed);
    assert_eq!(read(&client).await.unwrap(), "grpc://one");
    one.directory_is_dark.store(false, Ordering::Relaxed);
    sleep(4 * SECOND).await;
    assert_eq!(settled(&client).await, "iroh://one");
}

#[tokio::test(start_paused = true)]
async fn what_was_learnt_is_believed_for_as_long_as_it_says_and_asked_for_again_beside_the_calls() {
    let net = Net::default();
    let one = net.host("one");
    let client = client(&net, "grpc://one");
    settled(&client).await;
    let asked = one.asked();
    for _ in 0..40 {
        read(&client).await.unwrap();
        sleep(100 * MS).await;
    }
    assert_eq!(one.asked(), asked, "it is fresh");
    sleep(TTL).await;
    one.directory_is_dark.store(true, Ordering::Relaxed);
    let begun = tokio::time::Instant::now();
    read(&client).await.unwrap();
    assert!(begun.elapsed() < 10 * MS, "{:?}", begun.elapsed());
    sleep(MS).await;
    assert_eq!(one.asked(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_calls_nobody_is_asked() {
    let net = Net::default();
    let one = net.host("one");
    let client = client(&net, "grpc://one");
    settled(&client).await;
    let asked = one.asked();
    sleep(600 * SECOND).await;
    assert_eq!(one.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn when_an_address_changes_calls_follow_and_those_in_flight_end_where_they_are() {
    let net = Net::default();
    let one = net.host("one");
    let client = client(&net, "grpc://one");
    assert_eq!(settled(&client).await, "iroh://one");
    one.is(Mood::Well(8 * SECOND));
    let mut in_flight = Box::pin(write(&client));
    assert!((&mut in_flight).now_or_never().is_none());
    one.is(Mood::Well(MS));
    net.place(&one, &["grpc://one", "iroh://moved"]);
    sleep(TTL).await;
    assert_eq!(settled(&client).await, "iroh://moved");
    let told = client.channel.explain().unwrap();
    let targets: Vec<_> = told.subchannels.iter().map(|subchannel| subchannel.target.as_str()).collect();
    assert_eq!(targets, ["grpc://one", "iroh://moved"]);
    assert_eq!(in_flight.await.unwrap(), "iroh://one");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_lost_at_one_address_is_looked_for_at_once() {
    let net = Net::default();
    let one = net.host("one");
    let setup = net.setup(Policy::default().fallback(false), false);
    let subchannels = vec![net.subchannel("grpc://one"), net.subchannel("iroh://one")];
    let client = WordsClient::new(Discovered::new(setup, subchannels).into_channel());
    settled(&client).await;
    sleep(SECOND).await;
    net.place(&one, &["iroh://one", "iroh://moved"]);
    let asked = one.asked();
    read(&client).await.unwrap_err();
    sleep(10 * MS).await;
    assert!(one.asked() > asked, "before it has gone stale");
    let told = client.channel.explain().unwrap();
    assert!(told.subchannels.iter().any(|subchannel| subchannel.target == "iroh://moved"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_directory_is_called_at_the_target_alone_and_hardly_asked() {
    let net = Net::default();
    let one = net.host("one");
    one.has_directory.store(false, Ordering::Relaxed);
    let client = client(&net, "grpc://one");
    for _ in 0..100 {
        assert_eq!(read(&client).await.unwrap(), "grpc://one");
        sleep(100 * MS).await;
    }
    assert_eq!(one.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_at_an_address_that_was_learnt_is_not_called() {
    let net = Net::default();
    let (one, other) = (net.host("one"), net.host("other"));
    // As where the address is one of loopback, and the caller is on another machine.
    net.0.lock().unwrap().places.insert("iroh://one".to_owned(), other.clone());
    let client = client(&net, "grpc://one");
    for _ in 0..10 {
        assert_eq!(settled(&client).await, "grpc://one");
        sleep(SECOND).await;
    }
    assert_eq!((one.calls(), other.calls()), (30, 0));
    let told = client.channel.explain().unwrap().to_string();
    assert!(told.contains("node id mismatch: expected id of one, got id of other"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_service_goes_over_the_transports_that_serve_it() {
    let net = Net::default();
    let one = net.host("one");
    one.serves(&["iroh"]);
    let setup = net.setup(Policy::default(), false);
    let client = WordsClient::new(Discovered::new(setup, vec![net.subchannel("grpc://one")]).into_channel());
    // Nobody knows better yet.
    let refused = read(&client).await.unwrap_err();
    assert_eq!(refused.code(), crate::Code::Unimplemented);
    sleep(10 * MS).await;
    let before = one.calls();
    for _ in 0..10 {
        assert_eq!(read(&client).await.unwrap(), "iroh://one");
    }
    assert_eq!(one.calls() - before, 10, "none was refused");
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_transport_stays_known_when_another_is_learnt() {
    let net = Net::default();
    let one: Arc<Host> = net.host("one");
    let client = client(&net, "grpc://one");
    settled(&client).await;
    let calls = one.calls();
    net.place(&one, &["grpc://one", "iroh://one", "iroh://second"]);
    sleep(TTL).await;
    settled(&client).await;
    let told = client.channel.explain().unwrap();
    assert_eq!(told.subchannels.len(), 3);
    assert_eq!(told.subchannels[1].state, crate::SubchannelState::Closed, "{told}");
    assert_eq!(one.calls(), calls + 3);
}
