//! The channel over ways that fail as they are told to, in paused time.

mod counting;
mod dark;
mod failing;
mod policies;
mod redialling;
mod reports;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use futures_util::future::BoxFuture;

use super::*;
use crate::{
    Code, Context, Payload, Response, Service, Status, Streaming, SubchannelState,
    observer::recorder::Recorder,
    policy::{Adaptive, Hedge, Policies, Policy, PolicyHandle},
};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
struct Word {
    #[prost(string, tag = "1")]
    text: String,
}

/// Says over which way it was asked.
#[polywire::service(package = "words.v1")]
trait Words {
    /// May be asked twice.
    #[rpc(idempotent)]
    async fn read(&self, request: Word) -> Result<Word, Status>;
    /// May not.
    async fn write(&self, request: Word) -> Result<Word, Status>;
    /// Says the word again and again.
    async fn repeat(&self, request: Word) -> Result<Streaming<Word>, Status>;
    /// Takes words in.
    async fn gather(&self, words: Streaming<Word>) -> Result<Word, Status>;
}

/// What a way does with calls.
#[derive(Clone, Debug)]
enum Mood {
    /// ResponseStream after so long.
    Well(Duration),
    /// Says nothing, ever.
    Dark,
    /// Fails with this.
    Fails(Status),
    /// Lets probes in, and fails everything else with this.
    ProbesOnly(Status),
}

/// A way to a peer that answers with its own name.
#[derive(Clone)]
struct Way(Arc<Inner>);

struct Inner {
    name: &'static str,
    mood: Mutex<Mood>,
    /// How long the handler takes, whatever the way to it.
    work: Mutex<Duration>,
    calls: AtomicU32,
    executed: AtomicU32,
    probes: AtomicU32,
    attempts: Mutex<Vec<String>>,
}

const MS: Duration = Duration::from_millis(1);

impl Way {
    fn new(name: &'static str) -> Self {
        Self(Arc::new(Inner {
            name,
            mood: Mutex::new(Mood::Well(MS)),
            work: Mutex::default(),
            calls: AtomicU32::default(),
            executed: AtomicU32::default(),
            probes: AtomicU32::default(),
            attempts: Mutex::default(),
        }))
    }

    fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    fn calls(&self) -> u32 {
        self.0.calls.load(Ordering::Relaxed)
    }

    fn probes(&self) -> u32 {
        self.0.probes.load(Ordering::Relaxed)
    }

    async fn arrive(&self, cx: &Context) -> Result<(), Status> {
        let probe = cx.path().starts_with("/grpc.health");
        let count = if probe { &self.0.probes } else { &self.0.calls };
        count.fetch_add(1, Ordering::Relaxed);
        if !probe {
            let attempt = cx.metadata().get("grpc-previous-rpc-attempts").unwrap_or("0");
            self.0.attempts.lock().unwrap().push(attempt.to_owned());
        }
        let mood = self.0.mood.lock().unwrap().clone();
        match mood {
            Mood::Well(_) if probe => Ok(()),
            Mood::Well(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Mood::Dark => std::future::pending().await,
            Mood::ProbesOnly(_) if probe => Ok(()),
            Mood::Fails(status) | Mood::ProbesOnly(status) => Err(status),
        }
    }

    fn words(&self) -> WordsServer<Spoken> {
        WordsServer::new(Spoken(self.0.clone()))
    }
}

struct Spoken(Arc<Inner>);

impl Spoken {
    fn word(&self) -> Word {
        self.0.executed.fetch_add(1, Ordering::Relaxed);
        Word { text: self.0.name.to_owned() }
    }
}

impl Words for Spoken {
    async fn read(&self, _: Word) -> Result<Word, Status> {
        let work = *self.0.work.lock().unwrap();
        tokio::time::sleep(work).await;
        Ok(self.word())
    }

    async fn write(&self, _: Word) -> Result<Word, Status> {
        Ok(self.word())
    }

    async fn repeat(&self, _: Word) -> Result<Streaming<Word>, Status> {
        Ok(Streaming::from_iter([self.word(), self.word()]))
    }

    async fn gather(&self, mut words: Streaming<Word>) -> Result<Word, Status> {
        while words.message().await?.is_some() {}
        Ok(self.word())
    }
}

impl Service for Way {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.arrive(&cx).await?;
        self.words().unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.arrive(&cx).await?;
        self.words().stream(cx, messages).await
    }
}

fn refused() -> Status {
    Status::unavailable("connection refused").not_processed()
}

/// A client over Iroh, which is preferred, and gRPC.
async fn dual(policy: impl Into<PolicyHandle>) -> (WordsClient, Way, Way) {
    let (iroh, grpc) = (Way::new("iroh"), Way::new("grpc"));
    let builder = Channel::builder().connection("iroh", iroh.clone()).connection("grpc", grpc.clone());
    (WordsClient::new(builder.policy(policy).connect().await.unwrap()), iroh, grpc)
}

async fn read(client: &WordsClient) -> Result<String, Status> {
    client.read(Word::default()).timeout(10 * 1_000 * MS).await.map(|word| word.text)
}

async fn write(client: &WordsClient) -> Result<String, Status> {
    client.write(Word::default()).timeout(10 * 1_000 * MS).await.map(|word| word.text)
}

#[tokio::test(start_paused = true)]
async fn the_first_call_goes_over_the_preferred_transport() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    assert_eq!((iroh.probes(), grpc.probes(), grpc.calls()), (1, 0, 0), "the other is not troubled");
}

#[tokio::test(start_paused = true)]
async fn a_preferred_transport_that_says_nothing_has_a_head_start_and_no_more() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    iroh.is(Mood::Dark);
    let begun = Instant::now();
    assert_eq!(write(&client).await.unwrap(), "grpc");
    assert!(begun.elapsed() < 300 * MS, "{:?}", begun.elapsed());
    assert_eq!((iroh.calls(), grpc.calls()), (0, 1), "nothing but probes went into the dark");
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(write(&client).await.unwrap(), "grpc");
    }
    assert!(begun.elapsed() < 250 * MS, "later calls pay nothing: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_works_again_is_taken_again_within_a_probe_interval() {
    let (client, iroh, _) = dual(Policy::default()).await;
    iroh.is(Mood::Dark);
    assert_eq!(read(&client).await.unwrap(), "grpc");
    tokio::time::sleep(120 * 1_000 * MS).await;
    let probes = iroh.probes();
    assert!((7..20).contains(&probes), "{probes} probes in two minutes: the pauses grow");
    iroh.is(Mood::Well(MS));
    tokio::time::sleep(17 * 1_000 * MS).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_saw_is_made_over_the_other_transport_whatever_it_does() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(write(&client).await.unwrap(), "iroh");
    iroh.is(Mood::Fails(refused()));
    assert_eq!(write(&client).await.unwrap(), "grpc");
    assert_eq!(grpc.0.attempts.lock().unwrap().last().unwrap(), "1", "the server is told");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_been_executed_is_made_again_only_where_that_is_harmless() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(write(&client).await.unwrap(), "iroh");
    iroh.is(Mood::ProbesOnly(Status::unavailable("the connection broke")));
    let status = write(&client).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().ends_with("; the call may have been executed"), "{status}");
    assert_eq!(grpc.calls(), 0);
    assert_eq!(read(&client).await.unwrap(), "grpc");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_an_answer_also_where_it_is_a_failure() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    iroh.is(Mood::ProbesOnly(Status::not_found("no such word")));
    assert_eq!(read(&client).await.unwrap_err().code(), Code::NotFound);
    assert_eq!((iroh.calls(), grpc.calls()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn without_fallback_no_call_goes_elsewhere() {
    let (client, iroh, grpc) = dual(Policy::default().fallback(false)).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    iroh.is(Mood::Fails(refused()));
    let status = read(&client).await.unwrap_err();
    assert!(status.code() == Code::Unavailable && status.is_not_processed(), "{status}");
    assert_eq!(grpc.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_goes_dark_costs_no_idempotent_call_and_others_only_those_in_flight() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    iroh.is(Mood::Dark);
    let in_flight = write(&client);
    let begun = Instant::now();
    let reading = async {
        let outcome = read(&client).await;
        (outcome, begun.elapsed())
    };
    let (written, (read_text, took)) = tokio::join!(in_flight, reading);
    assert_eq!(written.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(read_text.unwrap(), "grpc");
    assert!(took < 1_000 * MS, "{took:?}");
    let begun = Instant::now();
    assert_eq!(write(&client).await.unwrap(), "grpc");
    assert!(begun.elapsed() < 100 * MS);
    assert_eq!(grpc.0.executed.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_no_dark_path() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    iroh.is(Mood::Well(3_000 * MS));
    assert_eq!(write(&client).await.unwrap(), "iroh");
    assert_eq!(write(&client).await.unwrap(), "iroh");
    assert_eq!(grpc.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_works_a_call_fails_soon_as_not_processed_and_says_why() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    iroh.is(Mood::Fails(refused()));
    grpc.is(Mood::Dark);
    let begun = Instant::now();
    let status = write(&client).await.unwrap_err();
    assert!(begun.elapsed() <= 3_000 * MS, "{:?}", begun.elapsed());
    assert!(status.code() == Code::Unavailable && status.is_not_processed(), "{status}");
    assert!(status.message().contains("iroh: connection refused"), "{status}");
    assert_eq!((iroh.calls(), grpc.calls()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_there_again_is_found_again() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    assert_eq!(write(&client).await.unwrap(), "iroh");
    for way in [&iroh, &grpc] {
        way.is(Mood::Fails(refused()));
    }
    for _ in 0..5 {
        write(&client).await.unwrap_err();
    }
    for way in [&iroh, &grpc] {
        way.is(Mood::Well(MS));
    }
    tokio::time::sleep(16 * 1_000 * MS).await;
    write(&client).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_whatever_is_tried() {
    let (client, iroh, grpc) = dual(Policy::default()).await;
    for way in [&iroh, &grpc] {
        way.is(Mood::Dark);
    }
    let begun = Instant::now();
    let status = client.read(Word::default()).timeout(700 * MS).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(begun.elapsed().as_millis(), 700);
}

#[tokio::test(start_paused = true)]
async fn a_channel_of_one_transport_asks_nobody_and_still_attempts_again() {
    let way = Way::new("grpc");
    let channel = Channel::builder().connection("grpc", way.clone()).connect().await.unwrap();
    let client = WordsClient::new(channel);
    way.is(Mood::Fails(refused()));
    let status = read(&client).await.unwrap_err();
    assert!(status.is_not_processed());
    assert_eq!((way.calls(), way.probes()), (3, 0));
}

#[tokio::test]
async fn a_channel_of_nothing_or_of_too_much_is_refused() {
    assert_eq!(Channel::builder().connect().await.unwrap_err().code(), Code::InvalidArgument);
    let many = (0..9).fold(Channel::builder(), |many, _| many.connection("grpc", Way::new("grpc")));
    assert!(many.connect().await.unwrap_err().message().contains("found 9"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_measured_says_nothing_and_goes_where_the_others_go() {
    let policy = Policy::default().adaptive(Adaptive::Below(20 * MS));
    let policies = Policies::new(policy.clone()).method("words", "Write", policy.measured(false));
    let (client, iroh, grpc) = dual(policies).await;
    assert_eq!(read(&client).await.unwrap(), "iroh");
    tokio::time::sleep(10 * MS).await;
    iroh.is(Mood::Well(5_000 * MS));
    for _ in 0..5 {
        assert_eq!(write(&client).await.unwrap(), "iroh", "it may take as long as it likes");
    }
    assert_eq!(client.channel.explain().unwrap().subchannels[0].latency, Some(MS));
    iroh.is(Mood::Well(50 * MS));
    while read(&client).await.unwrap() == "iroh" {}
    assert_eq!(write(&client).await.unwrap(), "grpc", "what others have met counts");
    assert!(grpc.calls() > 0);
}
