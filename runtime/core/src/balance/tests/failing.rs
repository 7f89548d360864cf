//! Transports that answer, and whose answers are failures.

use super::*;

/// A call each 5 ms for so long; how many were made, and how many of them this way met.
async fn calls(client: &WordsClient, way: &Way, seconds: u32) -> (u32, u32) {
    let before = way.calls();
    for _ in 0..200 * seconds {
        let _ = write(client).await;
        tokio::time::sleep(4 * MS).await;
    }
    (200 * seconds, way.calls() - before)
}

async fn adaptive() -> (WordsClient, Way, Way) {
    dual(Policy::default().adaptive(Adaptive::Fastest)).await
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_fails_at_once_has_a_hundredth_of_the_calls_after_a_second() {
    for code in [Code::ResourceExhausted, Code::Internal, Code::Unknown, Code::Unimplemented, Code::DataLoss]
    {
        for worked in [true, false] {
            let (client, iroh, grpc) = adaptive().await;
            grpc.is(Mood::Well(30 * MS));
            if worked {
                calls(&client, &iroh, 2).await;
            }
            iroh.is(Mood::ProbesOnly(Status::new(code, "nothing works here")));
            calls(&client, &iroh, 1).await;
            let (made, met) = calls(&client, &iroh, 20).await;
            assert!(met * 100 <= made && met > 0, "{code}, it worked {worked}: {met} of {made}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_works_again_is_taken_again_within_seconds() {
    let (client, iroh, grpc) = adaptive().await;
    grpc.is(Mood::Well(30 * MS));
    iroh.is(Mood::ProbesOnly(Status::internal("nothing works here")));
    calls(&client, &iroh, 60).await;
    iroh.is(Mood::Well(MS));
    calls(&client, &iroh, 15).await;
    let (made, met) = calls(&client, &iroh, 5).await;
    assert!(met * 10 >= made * 9, "{met} of {made}");
}

#[tokio::test(start_paused = true)]
async fn a_threshold_is_for_a_transport_that_works() {
    let (client, iroh, _) = dual(Policy::default().adaptive(Adaptive::Below(50 * MS))).await;
    calls(&client, &iroh, 2).await;
    iroh.is(Mood::ProbesOnly(Status::internal("nothing works here")));
    calls(&client, &iroh, 1).await;
    let (made, met) = calls(&client, &iroh, 20).await;
    assert!(met * 100 <= made && met > 0, "{met} of {made}");
}

#[tokio::test(start_paused = true)]
async fn where_every_call_fails_over_all_of_them_the_choice_does_not_waver() {
    let (client, iroh, grpc) = adaptive().await;
    grpc.is(Mood::Well(30 * MS));
    calls(&client, &iroh, 5).await;
    for way in [&iroh, &grpc] {
        way.is(Mood::ProbesOnly(Status::internal("a bug of the application")));
    }
    let taken = || client.channel.explain().unwrap().services[0].taken;
    let (mut changes, mut last) = (0, taken());
    for _ in 0..30 {
        calls(&client, &iroh, 1).await;
        changes += u32::from(std::mem::replace(&mut last, taken()) != last);
    }
    assert!(changes <= 6, "{changes}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_at_once_does_not_make_hedges_sooner() {
    let (client, iroh, grpc) = dual(Policy::default().hedge(Hedge::Percentile(95))).await;
    iroh.is(Mood::Well(20 * MS));
    grpc.is(Mood::Well(20 * MS));
    for _ in 0..100 {
        read(&client).await.unwrap();
    }
    iroh.is(Mood::ProbesOnly(Status::not_found("no such word")));
    for _ in 0..4_000 {
        read(&client).await.unwrap_err();
    }
    iroh.is(Mood::Well(20 * MS));
    let before = grpc.calls();
    for _ in 0..100 {
        read(&client).await.unwrap();
    }
    assert!(grpc.calls() - before < 20, "{} of 100 calls were hedged", grpc.calls() - before);
}
