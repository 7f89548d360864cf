//! Connections that are given up for others.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_way_that_stays_silent_through_short_calls_is_dialled_anew_also_where_it_is_the_only_one() {
    let (before, after) = (Way::new("before"), Way::new("after"));
    let next = after.clone();
    let renew = move || -> BoxFuture<'static, Option<subchannel::RenewableConnection>> {
        let way = subchannel::RenewableConnection::lasting(Channel::new(next.clone()));
        Box::pin(std::future::ready(Some(way)))
    };
    let way = subchannel::RenewableConnection {
        renew: Box::new(renew),
        ..subchannel::RenewableConnection::lasting(Channel::new(before.clone()))
    };
    let common = subchannel::Common {
        longest_pause: 500 * MS,
        ..subchannel::Common::counted_by(observer::ChannelObserver::default())
    };
    let subchannel = subchannel::Subchannel::new("grpc", "there".to_owned(), way, &common);
    let subchannels = subchannels::Subchannels::new(
        vec![subchannel],
        PolicyHandle::default(),
        observer::ChannelObserver::default(),
    );
    let client = WordsClient::new(subchannels.into_channel());
    assert_eq!(write(&client).await.unwrap(), "before");
    before.is(Mood::Dark);
    let begun = Instant::now();
    let outcome = loop {
        assert!(begun.elapsed() < 3_000 * MS, "it is as silent as before");
        match client.write(Word::default()).timeout(100 * MS).await {
            Ok(word) => break word.text,
            Err(_) => tokio::time::sleep(200 * MS).await,
        }
    };
    assert_eq!(outcome, "after");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_was_away_for_long_is_found_within_the_longest_pause() {
    let (iroh, grpc) = (Way::new("iroh"), Way::new("grpc"));
    let builder = Channel::builder().connection("iroh", iroh.clone()).connection("grpc", grpc.clone());
    let client = WordsClient::new(builder.longest_pause(500 * MS).connect().await.unwrap());
    assert_eq!(write(&client).await.unwrap(), "iroh");
    for way in [&iroh, &grpc] {
        way.is(Mood::Fails(refused()));
    }
    write(&client).await.unwrap_err();
    tokio::time::sleep(60_000 * MS).await;
    for way in [&iroh, &grpc] {
        way.is(Mood::Well(MS));
    }
    let begun = Instant::now();
    write(&client).await.unwrap();
    assert!(begun.elapsed() <= 510 * MS, "{:?}", begun.elapsed());
}
