//! Streams without a deadline, over paths that go dark.

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    super::{
        observer::ChannelObserver,
        subchannel::{Common, RenewableConnection, Subchannel},
        subchannels::Subchannels,
    },
    *,
};

const SECOND: Duration = Duration::from_secs(1);

/// A connection that carries one stream, until it goes dark.
#[derive(Clone)]
struct Line(Arc<Carried>);

struct Carried {
    path: watch::Sender<Path>,
    asked: AtomicU32,
    /// The stream's answers, one at a time.
    answers: Mutex<Option<mpsc::Sender<Result<Payload, Status>>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Path {
    Well,
    Dark,
    /// The peer answers, and takes no more calls.
    Refusing,
}

impl Line {
    fn new() -> Self {
        let (path, asked, answers) = (watch::Sender::new(Path::Well), AtomicU32::new(0), Mutex::new(None));
        Self(Arc::new(Carried { path, asked, answers }))
    }

    fn is(&self, path: Path) {
        self.0.path.send_replace(path);
    }

    /// What is under way while it is dark arrives once it is not any more, as what is sent again does.
    async fn cross(&self) -> Result<(), Status> {
        let mut path = self.0.path.subscribe();
        match *path.wait_for(|path| *path != Path::Dark).await.unwrap() {
            Path::Refusing => Err(refused()),
            Path::Well | Path::Dark => Ok(()),
        }
    }

    /// How often it was asked how it is.
    fn asked(&self) -> u32 {
        self.0.asked.load(Ordering::Relaxed)
    }

    fn answer(&self) {
        let answers = self.0.answers.lock().unwrap().clone().unwrap();
        answers.try_send(Ok(Payload::new(Word::default()))).unwrap();
    }
}

impl Service for Line {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.cross().await?;
        if cx.path().starts_with("/grpc.health") {
            self.0.asked.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Response::new(message))
    }

    async fn stream(
        &self,
        _: Context,
        _: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.cross().await?;
        let (sender, answers) = Streaming::channel(8);
        *self.0.answers.lock().unwrap() = Some(sender);
        Ok(Response::new(answers))
    }
}

/// A client over these connections, each of which is dialled once the one before it was given up.
fn client(first: &Line, later: Option<&Line>) -> WordsClient {
    let later = later.cloned();
    let renew = move || -> BoxFuture<'static, Option<RenewableConnection>> {
        let way = later.clone().map(|line| RenewableConnection::lasting(Channel::new(line)));
        Box::pin(std::future::ready(way))
    };
    let way = RenewableConnection {
        renew: Box::new(renew),
        ..RenewableConnection::lasting(Channel::new(first.clone()))
    };
    let common = Common::counted_by(ChannelObserver::default());
    let subchannel = Subchannel::new("line", "line".to_owned(), way, &common);
    WordsClient::new(Channel::new(Subchannels::new(
        vec![subchannel],
        Policy::default().into(),
        ChannelObserver::default(),
    )))
}

async fn open(client: &WordsClient) -> Streaming<Word> {
    client.repeat(Word::default()).await.unwrap()
}

/// How long it takes until the stream ends, and how.
async fn end(words: &mut Streaming<Word>) -> (Duration, Status) {
    let begun = Instant::now();
    let status = words.message().await.unwrap_err();
    (begun.elapsed(), status)
}

async fn is_open(words: &mut Streaming<Word>, time: Duration) -> bool {
    tokio::time::timeout(time, words.message()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_ends_soon_after_its_path_has_gone_dark() {
    let line = Line::new();
    let mut words = open(&client(&line, None)).await;
    assert!(is_open(&mut words, 60 * SECOND).await);
    line.is(Path::Dark);
    let (took, status) = end(&mut words).await;
    assert!(took <= 6_100 * MS, "{took:?}");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(!status.is_not_processed());
    assert!(status.message().contains("line"), "{status}");
    assert!(status.message().ends_with("; the call may have been executed"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_late_ends_at_once_where_its_path_has_gone_dark_meanwhile() {
    let line = Line::new();
    let mut words = open(&client(&line, None)).await;
    line.is(Path::Dark);
    sleep(60 * SECOND).await;
    let (took, status) = end(&mut words).await;
    assert!(took <= MS && status.code() == Code::Unavailable, "{took:?}: {status}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_over_a_path_that_works_goes_on_and_is_asked_after_now_and_then() {
    let line = Line::new();
    let client = client(&line, None);
    let mut words = open(&client).await;
    assert!(is_open(&mut words, 600 * SECOND).await);
    assert!((100..=160).contains(&line.asked()), "{}", line.asked());
    line.answer();
    assert!(words.message().await.unwrap().is_some());
    drop(words);
    let asked = line.asked();
    sleep(600 * SECOND).await;
    assert_eq!(line.asked(), asked, "a stream that has ended needs no probe");
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_messages_come_is_sign_enough() {
    let line = Line::new();
    let mut words = open(&client(&line, None)).await;
    for _ in 0..100 {
        line.answer();
        assert!(words.message().await.unwrap().is_some());
        sleep(SECOND).await;
    }
    assert_eq!(line.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_for_a_moment_keeps_its_streams_whatever_other_calls_find() {
    let line = Line::new();
    let client = client(&line, None);
    let mut words = open(&client).await;
    for _ in 0..5 {
        line.is(Path::Dark);
        let calls = (0..3).map(|_| client.write(Word::default()).timeout(2 * SECOND));
        let lost = futures_util::future::join_all(calls.map(|call| async { call.await })).await;
        assert!(lost.iter().all(Result::is_err));
        line.is(Path::Well);
        assert!(is_open(&mut words, 20 * SECOND).await);
        line.answer();
        assert!(words.message().await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_where_its_own_connection_is_dead_though_a_new_one_works() {
    let (dead, alive) = (Line::new(), Line::new());
    let client = client(&dead, Some(&alive));
    let mut words = open(&client).await;
    dead.is(Path::Dark);
    // What has other calls find out before the stream would.
    client.write(Word::default()).timeout(2 * SECOND).await.unwrap_err();
    let (took, status) = end(&mut words).await;
    assert!(took <= 7 * SECOND, "{took:?}");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    client.write(Word::default()).await.unwrap();
    // And one that is as well as the new one goes on.
    let mut words = open(&client).await;
    assert!(is_open(&mut words, 60 * SECOND).await);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_drains_keeps_its_streams() {
    let line = Line::new();
    let client = client(&line, None);
    let mut words = open(&client).await;
    line.is(Path::Refusing);
    for _ in 0..20 {
        let _ = client.write(Word::default()).timeout(SECOND).await;
    }
    assert!(is_open(&mut words, 60 * SECOND).await);
    line.answer();
    assert!(words.message().await.unwrap().is_some());
}
