//! What a channel tells of its choices.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_explanation_names_each_transport_and_the_reason() {
    let (client, iroh, _) = dual(Policy::default()).await;
    read(&client).await.unwrap();
    let told = client.channel.explain().unwrap();
    assert_eq!(told.subchannels[0].state, SubchannelState::Closed);
    assert_eq!(told.subchannels[1].state, SubchannelState::Untried);
    assert_eq!((told.services[0].name.as_str(), told.services[0].taken), ("words.v1.Words", "iroh"));
    iroh.is(Mood::Fails(refused()));
    read(&client).await.unwrap();
    tokio::time::sleep(MS).await;
    let told = client.channel.explain().unwrap();
    assert!(matches!(told.subchannels[0].state, SubchannelState::Open(_)), "{told}");
    assert_eq!(told.services[0].taken, "grpc");
    let text = told.to_string();
    assert!(text.contains("connection refused") && text.contains("does not work now"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_is_told_of_each_call_that_goes_elsewhere_and_why() {
    let (iroh, grpc) = (Way::new("iroh"), Way::new("grpc"));
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let builder = Channel::builder().connection("iroh", iroh.clone()).connection("grpc", grpc.clone());
    let builder = builder.on_fallback(move |fallback| {
        tell.lock().unwrap().push(format!("{} {}: {fallback}", fallback.path, fallback.reason));
    });
    let client = WordsClient::new(builder.connect().await.unwrap());
    assert_eq!(write(&client).await.unwrap(), "iroh");
    iroh.is(Mood::Fails(refused()));
    assert_eq!(write(&client).await.unwrap(), "grpc");
    tokio::time::sleep(MS).await;
    assert_eq!(write(&client).await.unwrap(), "grpc");
    assert_eq!(
        *told.lock().unwrap(),
        [
            "/words.v1.Words/Write not_processed: iroh failed (UNAVAILABLE: connection refused); falling back to grpc",
            "/words.v1.Words/Write set_aside: iroh failed (connection refused); falling back to grpc",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_explanation_says_when_a_transport_was_heard_of_last() {
    let (client, iroh, _) = dual(Policy::default().fallback(false)).await;
    let told = async || client.channel.explain().unwrap().subchannels.remove(0);
    assert_eq!(told().await.last_answer, None);
    read(&client).await.unwrap();
    tokio::time::sleep(100 * MS).await;
    let well = told().await;
    assert_eq!((well.last_answer, well.latency, well.is_failing), (Some(100 * MS), Some(MS), false));
    iroh.is(Mood::Dark);
    client.read(Word::default()).timeout(100 * MS).await.unwrap_err();
    let failing = told().await;
    assert!(failing.is_failing && failing.last_error.is_some(), "{failing:?}");
    assert_eq!(failing.last_answer, Some(200 * MS));
    iroh.is(Mood::Well(MS));
    read(&client).await.unwrap();
    assert!(!told().await.is_failing);
}
