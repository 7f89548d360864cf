//! Streams of a cluster's members.

use tokio::time::sleep;

use super::{cluster::three, *};

async fn repeat(client: &WordsClient) -> Result<String, Status> {
    let mut words = client.repeat(Word::default()).timeout(10 * SECOND).await?;
    let first = words.message().await?.map(|word| word.text);
    while words.message().await?.is_some() {}
    Ok(first.unwrap_or_default())
}

fn in_flight(client: &WordsClient) -> u32 {
    client.channel.explain().unwrap().members.iter().map(|member| member.in_flight).sum()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_no_handler_saw_is_opened_at_another_member() {
    let (net, hosts, client) = three();
    repeat(&client).await.unwrap();
    net.remove(&hosts[1]);
    net.remove(&hosts[2]);
    for _ in 0..20 {
        assert!(repeat(&client).await.unwrap().ends_with("one"));
        let words = Streaming::from_iter([Word::default(), Word::default()]);
        assert!(client.gather(words).await.unwrap().text.ends_with("one"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_may_have_been_executed_is_opened_elsewhere_only_where_that_is_harmless() {
    let (_, hosts, client) = three();
    for _ in 0..100 {
        repeat(&client).await.unwrap();
    }
    for host in &hosts[..2] {
        host.is(Mood::Fails(Status::unavailable("the connection broke")));
    }
    let mut failed = 0;
    for _ in 0..10 {
        repeat(&client).await.unwrap();
        let before: u32 = hosts.iter().map(|host| host.calls()).sum();
        let words = Streaming::from_iter([Word::default(), Word::default()]);
        if let Err(status) = client.gather(words).await {
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
async fn a_stream_counts_as_in_flight_until_it_ends_or_is_dropped() {
    let (_, hosts, client) = three();
    hosts.iter().for_each(|host| host.is(Mood::Waits));
    let mut streams = Vec::new();
    for open in 1..=9 {
        streams.push(client.repeat(Word::default()).await.unwrap());
        assert_eq!(in_flight(&client), open);
    }
    let told = client.channel.explain().unwrap();
    assert!(told.members.iter().all(|member| (2..=4).contains(&member.in_flight)), "{told}");
    streams.pop();
    assert_eq!(in_flight(&client), 8);
    streams.clear();
    assert_eq!(in_flight(&client), 0);
    hosts.iter().for_each(|host| host.is(Mood::Well(MS)));
    let mut words = client.repeat(Word::default()).await.unwrap();
    assert_eq!(in_flight(&client), 1);
    while words.message().await.unwrap().is_some() {}
    assert_eq!(in_flight(&client), 0, "the end is enough");
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_streams_break_off_has_a_hundredth_of_them_after_a_second() {
    let (_, hosts, client) = three();
    hosts[1].is(Mood::Breaks(Status::internal("nothing works here")));
    let streams = async |seconds: u32| {
        for _ in 0..100 * seconds {
            let _ = repeat(&client).await;
            sleep(10 * MS).await;
        }
        100 * seconds
    };
    streams(2).await;
    let before = hosts[1].calls();
    let made = streams(20).await;
    let met = hosts[1].calls() - before;
    assert!(met * 100 <= made && met > 0, "{met} of {made}");
}
