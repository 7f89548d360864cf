//! What policies ask for: shares, attempts, hedges, the adaptive choice, mirrors.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_share_of_the_calls_prefers_the_first_transport() {
    let (client, iroh, grpc) = dual(Policy::default().share(0.25)).await;
    for _ in 0..4 {
        read(&client).await.unwrap();
    }
    tokio::time::sleep(1_000 * MS).await;
    let before = iroh.calls();
    for _ in 0..400 {
        read(&client).await.unwrap();
    }
    assert!((98..=102).contains(&(iroh.calls() - before)), "{} of 400", iroh.calls() - before);
    assert!(grpc.calls() > 290);
}

#[tokio::test(start_paused = true)]
async fn a_policy_holds_for_its_service_and_changes_from_one_call_to_the_next() {
    let handle = PolicyHandle::new(Policies::default().service("words", Policy::default().prefer(["grpc"])));
    let (client, ..) = dual(handle.clone()).await;
    assert_eq!(read(&client).await.unwrap(), "grpc");
    handle.set(Policies::default().method("words", "Read", Policy::default().prefer(["iroh"])));
    // It is untried; the first call that would have taken it has it probed.
    read(&client).await.unwrap();
    tokio::time::sleep(MS).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    handle.set(Policies::new(Policy::default().prefer(["grpc"])));
    assert_eq!(read(&client).await.unwrap(), "grpc");
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_spaced() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    let broken = Status::unavailable("overloaded");
    for way in [&iroh, &grpc] {
        way.is(Mood::ProbesOnly(broken.clone()));
    }
    read(&client).await.unwrap_err();
    assert_eq!(iroh.calls() - 1 + grpc.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_when_is_listened_to() {
    let (client, iroh, _) = dual(Policy::default().fallback(false)).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    let pushed = |value: &str| {
        let mut metadata = crate::Metadata::new();
        metadata.insert("grpc-retry-pushback-ms", value).unwrap();
        Mood::ProbesOnly(Status::resource_exhausted("later").with_metadata(metadata))
    };
    iroh.is(pushed("700"));
    let begun = Instant::now();
    let outcome = read(&client).await;
    assert_eq!(outcome.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!((iroh.calls(), begun.elapsed().as_millis()), (4, 1_400));
    iroh.is(pushed("-1"));
    read(&client).await.unwrap_err();
    assert_eq!(iroh.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_budget_bounds_what_a_failing_server_meets() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    for way in [&iroh, &grpc] {
        way.is(Mood::ProbesOnly(Status::unavailable("overloaded")));
    }
    for _ in 0..1_000 {
        read(&client).await.unwrap_err();
    }
    let met = iroh.calls() - 1 + grpc.calls();
    assert!(met <= 1_000 + 200 + 11, "{met} attempts at 1000 calls");
    assert!(met >= 1_150, "the budget is used: {met}");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_made_over_the_other_transport_and_the_loser_is_dropped() {
    let (client, iroh, grpc) = dual(Policy::default().hedge(Hedge::After(20 * MS))).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    iroh.is(Mood::Well(400 * MS));
    let begun = Instant::now();
    assert_eq!(read(&client).await.unwrap(), "grpc");
    assert_eq!(begun.elapsed().as_millis(), 21);
    tokio::time::sleep(1_000 * MS).await;
    assert_eq!(iroh.0.executed.load(Ordering::Relaxed), 1, "the loser's handler was dropped");
    assert_eq!(write(&client).await.unwrap(), "iroh", "what is not idempotent is never hedged");
    assert_eq!(grpc.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_choice_moves_to_what_is_faster_and_stays_there() {
    let (client, iroh, grpc) = dual(Policy::default().adaptive(Adaptive::Fastest)).await;
    iroh.is(Mood::Well(50 * MS));
    for _ in 0..4_000 {
        read(&client).await.unwrap();
    }
    let (slow, fast) = (iroh.calls(), grpc.calls());
    for _ in 0..4_000 {
        read(&client).await.unwrap();
    }
    assert!(grpc.calls() - fast > 3_800, "{} of 4000 calls went over the faster one", grpc.calls() - fast);
    assert!(iroh.calls() > slow, "the other is looked at now and then");
}

#[tokio::test(start_paused = true)]
async fn how_long_the_handler_takes_says_nothing_of_the_transport() {
    let (client, iroh, grpc) = dual(Policy::default().adaptive(Adaptive::Fastest)).await;
    for (way, latency) in [(&iroh, 40 * MS), (&grpc, 5 * MS)] {
        way.is(Mood::Well(latency));
        *way.0.work.lock().unwrap() = 200 * MS;
    }
    for _ in 0..500 {
        let answer = client.read(Word::default()).response().await.unwrap();
        assert!(answer.trailers.is_empty(), "the caller has not asked: {:?}", answer.trailers);
    }
    let slow = iroh.calls();
    for _ in 0..500 {
        read(&client).await.unwrap();
    }
    assert!(iroh.calls() - slow < 50, "{} of 500 calls went over the slower one", iroh.calls() - slow);
    let explanation = client.channel.explain().unwrap().services[0].clone();
    let latency = explanation.scores[1].0.unwrap();
    assert!(latency < 30 * MS, "{latency:?}");
}

/// A way over which answers come encoded, as over a network.
struct Encoding(Way);

impl Service for Encoding {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let codec = cx.codec().unwrap_or(crate::Codec::MessagePack);
        let encoded = |message: &Payload| {
            let mut bytes = bytes::BytesMut::new();
            message.encode(codec, &mut bytes)?;
            Ok::<_, Status>(Payload::encoded(codec, bytes.freeze()))
        };
        let response = self.0.unary(cx, encoded(&message)?).await?;
        let answer = encoded(&response.message)?;
        Ok(response.map(|_| answer))
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.0.stream(cx, messages).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_shadow_compares_the_answers_and_changes_nothing_for_the_caller() {
    let metrics = Recorder::default();
    let (iroh, grpc) = (Way::new("the same"), Way::new("the same"));
    let builder = Channel::builder()
        .options(crate::ConnectOptions::new().metrics(metrics.clone()))
        .connection("iroh", Encoding(iroh.clone()))
        .connection("grpc", Encoding(grpc.clone()))
        .policy(Policy::default().share(0.5).shadow(1.0));
    let client = WordsClient::new(builder.connect().await.unwrap());
    let counted = |outcome: &str| {
        let line = format!(
            "polywire_client_shadow_calls_total{{outcome=\"{outcome}\",service=\"words.v1.Words\"}} "
        );
        let text = metrics.page();
        text.lines().find_map(|told| told.strip_prefix(&line)?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    // Until both are known to work.
    for _ in 0..4 {
        read(&client).await.unwrap();
        tokio::time::sleep(10 * MS).await;
    }
    let before = (counted("same"), iroh.calls() + grpc.calls());
    for _ in 0..10 {
        assert_eq!(read(&client).await.unwrap(), "the same");
        write(&client).await.unwrap();
    }
    tokio::time::sleep(10 * MS).await;
    assert_eq!(counted("same") - before.0, 10.0);
    assert_eq!(iroh.calls() + grpc.calls() - before.1, 30, "what is not idempotent has no shadow");
    assert_eq!(counted("different") + counted("failed"), 0.0);

    // The transport that is not asked first, whichever it is, answers otherwise or not at all.
    grpc.is(Mood::ProbesOnly(Status::not_found("no such word")));
    let outcomes = [read(&client).await, read(&client).await];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    tokio::time::sleep(10 * MS).await;
    assert_eq!(counted("failed") + counted("different"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_opened_elsewhere_where_nothing_of_it_was_taken() {
    let (client, iroh, _) = dual(Policy::default()).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    iroh.is(Mood::ProbesOnly(refused()));
    let mut answers = client.repeat(Word::default()).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().text, "grpc");
    assert!(answers.message().await.unwrap().is_some());
    assert!(answers.message().await.unwrap().is_none());
    let words = Streaming::from_iter([Word::default(), Word::default()]);
    assert_eq!(client.gather(words).await.unwrap().text, "grpc");
}
