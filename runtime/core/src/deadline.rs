use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

#[cfg(feature = "grpc")]
use std::sync::Arc;

#[cfg(feature = "grpc")]
use tokio::task::JoinHandle;
use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep},
};

#[cfg(feature = "grpc")]
use crate::sync::Mutex;
use crate::{Code, Metadata, Status, Streaming, streaming::Source};

/// The future's outcome, or `DeadlineExceeded` once the deadline passes. A future whose deadline has passed before it
/// is polled at all never is, and the status says that nothing was processed.
pub fn bound<F>(deadline: Option<Instant>, future: F) -> Bound<F> {
    Bound { future, limit: deadline.map(Limit::At), late: EXCEEDED, begun: false, sleep: None }
}

/// The outcome of an outgoing call, or `DeadlineExceeded` once the deadline passes, marked by whether the call may be
/// retried.
pub(crate) fn bound_call<F>(deadline: Option<Instant>, idempotent: bool, call: F) -> Bound<F> {
    Bound { future: call, limit: deadline.map(Limit::At), late: late(idempotent), begun: false, sleep: None }
}

/// The future's outcome, or `DeadlineExceeded` with this message when it has waited for so long.
pub(crate) fn within<F>(patience: Duration, late: &'static str, future: F) -> Bound<F> {
    Bound { future, limit: Some(Limit::After(patience)), late, begun: false, sleep: None }
}

/// The future's outcome, or `DeadlineExceeded`: once the deadline passes, as [`bound`] has it, or with this message when it
/// has waited for so long.
pub(crate) fn bound_within<F>(
    deadline: Option<Instant>,
    patience: Duration,
    late: &'static str,
    future: F,
) -> Bound<F> {
    match deadline {
        Some(deadline) if Instant::now().checked_add(patience).is_none_or(|end| deadline <= end) => {
            bound(Some(deadline), future)
        }
        _ => within(patience, late, future),
    }
}

pin_project_lite::pin_project! {
    /// A future with a limit in time. The timer is made when there is something to wait for, as in few
    /// calls there is; and this is no `async fn`, which would hold the future twice.
    pub struct Bound<F> {
        #[pin]
        future: F,
        limit: Option<Limit>,
        late: &'static str,
        begun: bool,
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

#[derive(Clone, Copy)]
enum Limit {
    At(Instant),
    After(Duration),
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Bound<F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if !std::mem::replace(this.begun, true)
            && let Some(Limit::At(deadline)) = *this.limit
            && deadline <= Instant::now()
        {
            return Poll::Ready(Err(exceeded().not_processed()));
        }
        if let Poll::Ready(outcome) = this.future.poll(task) {
            return Poll::Ready(outcome);
        }
        let Some(limit) = *this.limit else { return Poll::Pending };
        let sleep = this.sleep.get_or_insert_with(|| {
            Box::pin(match limit {
                Limit::At(deadline) => tokio::time::sleep_until(deadline),
                Limit::After(patience) => tokio::time::sleep(patience),
            })
        });
        // Work that has used up what tokio lets a task do at once must not keep the timer from ending it.
        let timer = pin!(unconstrained(sleep.as_mut()));
        timer.poll(task).map(|()| Err(Status::deadline_exceeded(*this.late)))
    }
}

/// The stream, ended by `DeadlineExceeded` once the deadline passes.
pub fn bound_stream<T: Send + 'static>(deadline: Option<Instant>, stream: Streaming<T>) -> Streaming<T> {
    bound_by(deadline, stream, EXCEEDED, false)
}

/// The same for the responses of an outgoing call.
pub(crate) fn bound_answers<T: Send + 'static>(
    deadline: Option<Instant>,
    idempotent: bool,
    answers: Streaming<T>,
) -> Streaming<T> {
    bound_by(deadline, answers, late(idempotent), true)
}

fn bound_by<T: Send + 'static>(
    deadline: Option<Instant>,
    inner: Streaming<T>,
    late: &'static str,
    may_break: bool,
) -> Streaming<T> {
    match deadline {
        None => inner,
        Some(deadline) => {
            let sleep = Box::pin(tokio::time::sleep_until(deadline));
            Streaming::from_source(Bounded { inner, late, may_break, sleep })
        }
    }
}

/// The same stream, dropped at the deadline even if it is not polled: HTTP/2 does not poll the body of a stream whose window
/// is full.
#[cfg(feature = "grpc")]
pub(crate) fn watched_stream<T: Send + 'static>(
    deadline: Option<Instant>,
    stream: Streaming<T>,
) -> Streaming<T> {
    let Some(deadline) = deadline else { return stream };
    let stream = Arc::new(Mutex::new(Some(stream)));
    let watched = stream.clone();
    let watch = tokio::spawn(async move {
        tokio::time::sleep_until(deadline).await;
        let expired = watched.lock().take();
        drop(expired);
    });
    Streaming::from_source(Watched { stream, watch })
}

#[cfg(feature = "grpc")]
struct Watched<T> {
    stream: Arc<Mutex<Option<Streaming<T>>>>,
    watch: JoinHandle<()>,
}

#[cfg(feature = "grpc")]
impl<T: Send> Source<T> for Watched<T> {
    fn poll_message(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        match &mut *self.stream.lock() {
            Some(stream) => stream.poll_message(task),
            None => Poll::Ready(Some(Err(exceeded()))),
        }
    }

    fn take_trailers(self: Pin<&mut Self>) -> Metadata {
        let mut stream = self.stream.lock();
        stream.as_mut().map(Streaming::take_trailers).unwrap_or_default()
    }
}

#[cfg(feature = "grpc")]
impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

const EXCEEDED: &str = "the deadline passed before the call ended";
const EXCEEDED_MAYBE: &str = "the deadline passed before the call ended; the call may have been executed";

/// What a caller is told whose call was not answered in time.
fn late(idempotent: bool) -> &'static str {
    if idempotent { EXCEEDED } else { EXCEEDED_MAYBE }
}

/// The status of a call whose deadline has passed.
pub fn exceeded() -> Status {
    Status::deadline_exceeded(EXCEEDED)
}

/// How much sooner than its deadline here a call may have been given up because of it: the caller's clock for it began when
/// the call left, and ours when it arrived.
const TRANSIT: Duration = Duration::from_millis(10);

/// Whether a call that is given up now has come to its deadline.
pub fn is_reached(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now() + TRANSIT)
}

struct Bounded<T> {
    inner: Streaming<T>,
    late: &'static str,
    /// Whether the peer may break the stream off at its own clock, which may be ahead of this one.
    may_break: bool,
    sleep: Pin<Box<Sleep>>,
}

impl<T> Bounded<T> {
    /// Whether the stream has broken because of the deadline. A reset does not say so.
    fn is_broken_by_deadline(&self, status: &Status) -> bool {
        self.may_break
            && matches!(status.code(), Code::Cancelled | Code::Unavailable)
            && is_reached(Some(self.sleep.deadline()))
    }
}

impl<T: Send> Source<T> for Bounded<T> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        // The deadline first: a stream that always has a message ready must end too.
        if self.sleep.as_mut().poll(task).is_ready() {
            self.inner = Streaming::empty();
            return Poll::Ready(Some(Err(Status::deadline_exceeded(self.late))));
        }
        match ready!(self.inner.poll_message(task)) {
            Some(Err(status)) if self.is_broken_by_deadline(&status) => {
                Poll::Ready(Some(Err(Status::deadline_exceeded(self.late).with_source(status))))
            }
            message => Poll::Ready(message),
        }
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_whose_time_is_over_never_begins() {
        let now = Instant::now();
        let work = async { panic!("it has begun") };
        let outcome: Result<(), Status> = bound(Some(now), work).await;
        let status = outcome.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.is_not_processed());
        let begun = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(())
        };
        let status = bound(Some(now + Duration::from_secs(1)), begun).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(!status.is_not_processed(), "it had begun");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_break_off_at_the_deadline_are_past_it_and_others_are_not() {
        let second = Duration::from_secs(1);
        for (early, expected) in [(second / 200, Code::DeadlineExceeded), (second / 2, Code::Unavailable)] {
            let deadline = Instant::now() + second;
            let broken = futures_util::stream::once(async move {
                tokio::time::sleep(second - early).await;
                Err::<(), _>(Status::unavailable("the peer broke the call off"))
            });
            let mut answers = bound_answers(Some(deadline), false, Streaming::new(broken));
            assert_eq!(answers.message().await.unwrap_err().code(), expected, "{early:?} early");
        }
    }

    #[tokio::test]
    async fn work_that_is_never_idle_ends_by_its_deadline_too() {
        let busy = async {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        };
        let outcome = within(Duration::from_millis(1), "late", busy);
        // Without the limit nothing in here would ever end, and this outer one is enforced by tokio itself.
        let outcome = tokio::time::timeout(Duration::from_secs(5), outcome).await.expect("it has ended");
        let outcome: Result<(), Status> = outcome;
        assert_eq!(outcome.unwrap_err().message(), "late");
    }
}
