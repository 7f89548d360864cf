use std::{collections::BTreeMap, sync::atomic::Ordering};

use tokio::time::{Instant, sleep};

use super::{super::cluster::Cluster, *};
use crate::{Code, policy::Policy};

/// Three hosts that are a cluster, and a client that knows the first.
pub(super) fn three() -> (Net, [Arc<Host>; 3], WordsClient) {
    let net = Net::default();
    let hosts = ["one", "two", "three"].map(|name| net.host(name));
    net.members(&[&hosts[0], &hosts[1], &hosts[2]]);
    let client = client(&net, &["grpc://one"]);
    (net, hosts, client)
}

fn client(net: &Net, seeds: &[&str]) -> WordsClient {
    let seeds = seeds.iter().map(|seed| net.subchannel(seed)).collect();
    WordsClient::new(Cluster::new(net.setup(Policy::default(), true), seeds).into_channel())
}

/// How many of so many calls, one behind the other, went to each target.
async fn spread(client: &WordsClient, calls: u32) -> BTreeMap<String, u32> {
    let mut spread = BTreeMap::new();
    for _ in 0..calls {
        *spread.entry(read(client).await.unwrap()).or_default() += 1;
    }
    spread
}

#[tokio::test(start_paused = true)]
async fn one_seed_reaches_all_members_and_each_has_its_share() {
    let (_, _, client) = three();
    read(&client).await.unwrap();
    let spread = spread(&client, 600).await;
    assert_eq!(spread.len(), 3, "{spread:?}");
    assert!(spread.values().all(|calls| (140..=260).contains(calls)), "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_slower_has_fewer_calls_and_some() {
    let (_, hosts, client) = three();
    hosts[1].is(Mood::Well(30 * MS));
    spread(&client, 100).await;
    let before = hosts[1].calls();
    for _ in 0..2_000 {
        read(&client).await.unwrap();
        sleep(50 * MS).await;
    }
    let calls = hosts[1].calls() - before;
    assert!((1..200).contains(&calls), "{calls} of 2000");
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_are_spread_by_how_many_wait() {
    let (_, hosts, client) = three();
    spread(&client, 60).await;
    for host in &hosts {
        host.is(Mood::Well(50 * MS));
    }
    let before: Vec<_> = hosts.iter().map(|host| host.calls()).collect();
    let calls = (0..90).map(|_| read(&client));
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    for (host, before) in hosts.iter().zip(before) {
        assert!((20..=40).contains(&(host.calls() - before)), "{} of 90", host.calls() - before);
    }
}

#[tokio::test(start_paused = true)]
async fn members_that_do_not_serve_a_service_are_not_called_and_where_none_does_that_is_said() {
    let (_, hosts, client) = three();
    hosts[1].serves(&[]);
    let spread = spread(&client, 100).await;
    assert_eq!((spread.len(), hosts[1].calls()), (2, 0), "{spread:?}");
    hosts[0].serves(&[]);
    hosts[2].serves(&[]);
    sleep(TTL).await;
    let _ = read(&client).await;
    sleep(10 * MS).await;
    let status = read(&client).await.unwrap_err();
    assert!(status.code() == Code::Unimplemented && status.is_not_processed(), "{status}");
    let expected = "no member of the cluster serves words.v1.Words; its members are one, three, two";
    assert_eq!(status.message(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_gone_costs_no_call_and_is_found_again_elsewhere() {
    let (net, hosts, client) = three();
    spread(&client, 30).await;
    net.remove(&hosts[2]);
    for _ in 0..100 {
        write(&client).await.unwrap();
        sleep(50 * MS).await;
    }
    let before = spread(&client, 100).await;
    assert_eq!(before.len(), 2, "{before:?}");
    net.place(&hosts[2], &["grpc://three-b", "iroh://three-b"]);
    net.members(&[&hosts[0], &hosts[1], &hosts[2]]);
    sleep(TTL).await;
    read(&client).await.unwrap();
    sleep(10 * MS).await;
    let after = spread(&client, 200).await;
    assert!(after["grpc://three-b"] > 30, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn the_seed_may_be_gone_once_others_are_known() {
    let (net, hosts, client) = three();
    read(&client).await.unwrap();
    net.remove(&hosts[0]);
    for _ in 0..20 {
        write(&client).await.unwrap();
        sleep(SECOND).await;
    }
    let four = net.host("four");
    net.members(&[&hosts[1], &hosts[2], &four]);
    sleep(TTL).await;
    read(&client).await.unwrap();
    sleep(10 * MS).await;
    let spread = spread(&client, 200).await;
    assert!(spread["grpc://four"] > 30, "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn members_that_join_or_leave_are_followed() {
    let (net, hosts, client) = three();
    spread(&client, 30).await;
    let four = net.host("four");
    net.members(&[&hosts[0], &hosts[2], &four]);
    // A member that has left is in a cluster of its own, and says so.
    let alone = directory::Cluster { id: "its own".to_owned(), revision: 900, members: Vec::new() };
    *hosts[1].own_cluster.lock().unwrap() = Some(alone);
    for _ in 0..3 {
        sleep(TTL).await;
        read(&client).await.unwrap();
        sleep(10 * MS).await;
    }
    let before = hosts[1].calls();
    let spread = spread(&client, 300).await;
    assert_eq!((spread.len(), hosts[1].calls()), (3, before), "{spread:?}");
    assert!(spread["grpc://four"] > 50, "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_member_says_that_has_not_heard_the_latest_is_not_believed() {
    let (net, hosts, client) = three();
    read(&client).await.unwrap();
    let four = net.host("four");
    let stale = directory::Cluster { id: "the cluster".to_owned(), revision: 0, members: Vec::new() };
    for host in &hosts[1..] {
        *host.own_cluster.lock().unwrap() = Some(stale.clone());
    }
    net.members(&[&hosts[0], &hosts[1], &hosts[2], &four]);
    for _ in 0..10 {
        sleep(TTL).await;
        spread(&client, 20).await;
    }
    assert_eq!(client.channel.explain().unwrap().members.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_been_executed_goes_to_another_member_only_where_that_is_harmless() {
    let (_, hosts, client) = three();
    // So that the budget allows for all that follows.
    spread(&client, 400).await;
    for host in &hosts[..2] {
        host.is(Mood::Fails(Status::unavailable("the connection broke")));
    }
    let mut failed = 0;
    for _ in 0..30 {
        read(&client).await.unwrap();
        let before: u32 = hosts.iter().map(|host| host.calls()).sum();
        if let Err(status) = write(&client).await {
            failed += 1;
            assert!(status.message().ends_with("; the call may have been executed"), "{status}");
        }
        let after: u32 = hosts.iter().map(|host| host.calls()).sum();
        assert_eq!(after - before, 1, "it is made once");
        sleep(20 * SECOND).await;
    }
    assert!(failed > 0, "or nothing was shown");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_goes_dark_costs_no_idempotent_call() {
    let (_, hosts, client) = three();
    spread(&client, 30).await;
    hosts[1].is(Mood::Dark);
    let begun = Instant::now();
    let calls = (0..30).map(|_| read(&client));
    let outcomes = futures_util::future::join_all(calls).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(begun.elapsed() < 4 * SECOND, "{:?}", begun.elapsed());
    let begun = Instant::now();
    for _ in 0..100 {
        write(&client).await.unwrap();
    }
    assert!(begun.elapsed() < SECOND, "it is left out: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn all_attempts_are_made_within_one_budget() {
    let (_, hosts, client) = three();
    spread(&client, 30).await;
    let before: u32 = hosts.iter().map(|host| host.calls()).sum();
    for host in &hosts {
        host.is(Mood::Fails(Status::unavailable("overloaded")));
    }
    for _ in 0..1_000 {
        read(&client).await.unwrap_err();
    }
    let met = hosts.iter().map(|host| host.calls()).sum::<u32>() - before;
    assert!((1_100..=1_000 + 200 + 20).contains(&met), "{met} attempts at 1000 calls");
}

#[tokio::test(start_paused = true)]
async fn where_no_seed_answers_calls_fail_soon_and_say_who_was_asked_and_go_on_once_one_does() {
    let net = Net::default();
    let one = net.host("one");
    net.members(&[&one]);
    net.remove(&one);
    let client = client(&net, &["grpc://one", "grpc://nobody"]);
    let begun = Instant::now();
    let status = write(&client).await.unwrap_err();
    assert!(begun.elapsed() < SECOND);
    assert!(status.code() == Code::Unavailable && status.is_not_processed(), "{status}");
    for expected in ["no seed of the cluster", "grpc://one: connection refused", "grpc://nobody: "] {
        assert!(status.message().contains(expected), "{status}");
    }
    net.place(&one, &["grpc://one"]);
    sleep(SECOND).await;
    write(&client).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_no_member_is_reached_it_is_said_of_each() {
    let (net, hosts, client) = three();
    spread(&client, 30).await;
    for host in &hosts {
        net.remove(host);
    }
    let status = write(&client).await.unwrap_err();
    assert!(status.code() == Code::Unavailable && status.is_not_processed(), "{status}");
    for expected in
        ["no member of the cluster that serves words.v1.Words is reached", "one: ", "two: ", "three: "]
    {
        assert!(status.message().contains(expected), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_without_a_directory_are_the_members_themselves() {
    let net = Net::default();
    for name in ["one", "two"] {
        net.host(name).has_directory.store(false, Ordering::Relaxed);
    }
    let client = client(&net, &["grpc://one", "grpc://two"]);
    let spread = spread(&client, 100).await;
    assert_eq!(spread.len(), 2, "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_each_member_with_its_transports() {
    let (net, hosts, client) = three();
    spread(&client, 30).await;
    net.remove(&hosts[2]);
    sleep(TTL).await;
    spread(&client, 10).await;
    sleep(10 * MS).await;
    let told = client.channel.explain().unwrap();
    assert_eq!(told.members.len(), 3);
    let three = told.members.iter().find(|member| member.name == "three").unwrap();
    assert!(!three.reached);
    assert_eq!(told.members[0].services[0].name, WORDS);
    assert!(told.members[0].serves.contains(&WORDS.to_owned()));
    let text = told.to_string();
    for expected in
        ["member three (id of three): 0 calls in flight; it did not answer", "  grpc       closed", WORDS]
    {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}
