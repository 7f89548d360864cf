//! What a stream is allowed for as long as it is open.
//!
//! A unary call is decided about once. A stream may be open for days, and what allowed it may end before: a token expires or is
//! revoked, a certificate's time is over, a rule is taken away, a member is removed. So [`AccessControl`](super::AccessControl)
//! asks about the open streams again, every [`AGAIN`], by one task for all of them, and ends those whose caller may not make
//! the call any more.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use futures_util::task::AtomicWaker;

use crate::{Caller, Context, Metadata, Status, Streaming, panic, streaming::Source, sync::Mutex};

/// How often open streams are asked about: what revokes a token must take effect within a second at each member of a cluster,
/// and the member must learn of it first.
const AGAIN: Duration = Duration::from_millis(500);

/// After how many streams the task lets others run.
const AT_ONCE: usize = 256;

/// That the caller of an open stream may make the call. Once it may not, the stream ends with the reason.
///
/// It is given by [`Authorize::authorize_stream`](super::Authorize::authorize_stream), and holds until it is dropped.
pub struct Lease(Arc<Leased>);

struct Leased {
    /// The call as it arrived.
    cx: Mutex<Context>,
    caller: Arc<Caller>,
    ended: OnceLock<Status>,
    waiting: AtomicWaker,
}

/// The streams that are open.
#[derive(Default)]
pub(super) struct OpenStreams {
    leases: Mutex<Vec<Weak<Leased>>>,
    is_asking: AtomicBool,
}

/// Decides about a call that was allowed before.
pub(super) trait AskAgain: Send + Sync + 'static {
    /// Allows the call, or refuses it.
    fn ask_again(&self, cx: &mut Context) -> Result<(), Status>;
}

impl OpenStreams {
    /// A lease for a call of this caller, which `decides` is asked about again. `None` outside of a tokio runtime, where
    /// nothing could ask.
    pub(super) fn lease(
        self: &Arc<Self>,
        decides: &Arc<impl AskAgain>,
        cx: Context,
        caller: Arc<Caller>,
    ) -> Option<Lease> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let leased = Arc::new(Leased {
            cx: Mutex::new(cx),
            caller,
            ended: OnceLock::new(),
            waiting: AtomicWaker::new(),
        });
        self.leases.lock().push(Arc::downgrade(&leased));
        if !self.is_asking.swap(true, Ordering::AcqRel) {
            runtime.spawn(ask(Asking(Arc::downgrade(self)), Arc::downgrade(decides)));
        }
        Some(Lease(leased))
    }
}

/// Asks about the streams until none is open.
async fn ask(asking: Asking, decides: Weak<impl AskAgain>) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let Some(open) = asking.0.upgrade() else { return };
        let leases = {
            let mut leases = open.leases.lock();
            leases.retain(|lease| lease.strong_count() > 0);
            if leases.is_empty() {
                // Before the lock is given up: the next stream begins another task.
                drop(asking);
                return;
            }
            leases.clone()
        };
        drop(open);
        for leases in leases.chunks(AT_ONCE) {
            let Some(decides) = decides.upgrade() else { return };
            leases.iter().filter_map(Weak::upgrade).for_each(|lease| lease.ask(&*decides));
            tokio::task::yield_now().await;
        }
    }
}

/// The task that asks: where its runtime ends, the next stream begins another one.
struct Asking(Weak<OpenStreams>);

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(open) = self.0.upgrade() {
            open.is_asking.store(false, Ordering::Release);
        }
    }
}

impl Leased {
    fn ask(&self, decides: &impl AskAgain) {
        // A stream that is not read does not run, and may be there for a while after its end.
        if self.ended.get().is_some() {
            return;
        }
        let mut cx = self.cx.lock();
        cx.caller = Some(self.caller.clone());
        let asked = panic::catch(|| decides.ask_again(&mut cx));
        let Err(refusal) = asked.unwrap_or_else(|panic| Err(panic.status(&cx.path))) else { return };
        tracing::info!(
            path = cx.path(),
            caller = %self.caller.identities().next().map_or_else(|| "none".to_owned(), ToString::to_string),
            reason = refusal.message(),
            "a stream was ended: its caller may not make the call any more"
        );
        let ended = format!("access to this stream has ended: {}", refusal.message());
        // Nothing else sets it.
        let _ = self.ended.set(Status::new(refusal.code(), ended));
        self.waiting.wake();
    }
}

impl Lease {
    /// The status with which the stream has ended, if it has; the task is woken once it does.
    fn ended(&self, task: &TaskContext<'_>) -> Option<Status> {
        self.0.waiting.register(task.waker());
        self.0.ended.get().cloned()
    }
}

/// The future's outcome, or the status with which the lease has ended before.
pub(crate) fn bound<F>(lease: Option<&Lease>, future: F) -> Bound<'_, F> {
    Bound { future, lease }
}

pin_project_lite::pin_project! {
    /// A future that is given up once its lease has ended.
    pub(crate) struct Bound<'a, F> {
        #[pin]
        future: F,
        lease: Option<&'a Lease>,
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Bound<'_, F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.lease.and_then(|lease| lease.ended(task)) {
            Some(status) => Poll::Ready(Err(status)),
            None => this.future.poll(task),
        }
    }
}

/// The stream, dropped once the lease has ended.
pub(crate) fn bound_stream<T: Send + 'static>(lease: Option<Lease>, inner: Streaming<T>) -> Streaming<T> {
    match lease {
        None => inner,
        Some(lease) => Streaming::from_source(BoundStream { inner, lease }),
    }
}

struct BoundStream<T> {
    inner: Streaming<T>,
    lease: Lease,
}

impl<T: Send> Source<T> for BoundStream<T> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        if let Some(status) = self.lease.ended(task) {
            self.inner = Streaming::empty();
            return Poll::Ready(Some(Err(status)));
        }
        self.inner.poll_message(task)
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("caller", &self.0.caller).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStreams").field("leases", &self.leases.lock().len()).finish_non_exhaustive()
    }
}
