//! Panics of handlers, layers and streams: each costs the call that it happens in, and one line of the log.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use crate::{Metadata, Payload, Status, Streaming, context::Path, streaming::Source};

/// A panic that was caught.
#[derive(Debug)]
pub struct Caught {
    text: String,
    /// `file:line:column`; known where [`install_hook`] was called.
    place: Option<String>,
}

/// Runs code whose panics are caught, and are no failure of the process: the hook says nothing of them.
///
/// # Errors
/// The panic that ended it.
pub fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Caught> {
    let running = Running::begin();
    let outcome = catch_unwind(AssertUnwindSafe(code));
    drop(running);
    let place = PLACE.take();
    match outcome {
        Ok(value) => {
            if let Some(place) = place {
                tracing::warn!(place, "code that is guarded caught a panic of its own");
            }
            Ok(value)
        }
        Err(payload) => Err(Caught::new(payload, place)),
    }
}

impl Caught {
    fn new(payload: Box<dyn Any + Send>, place: Option<String>) -> Self {
        let text = text(&*payload).to_owned();
        // The payload is any type, and may panic when it is dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        Self { text, place }
    }

    /// What the caller is told of it. The panic's text stays in this process: it may hold anything.
    pub(crate) fn status(&self, path: &Path) -> Status {
        self.log(path);
        Status::internal("the handler panicked")
    }

    /// One line of the log, that this has panicked.
    pub fn say(&self, what: &str) {
        tracing::error!(panic = self.text, place = self.place.as_deref(), "{what} panicked");
    }

    fn log(&self, path: &Path) {
        let method = Some(path.as_str().trim_start_matches('/')).filter(|method| !method.is_empty());
        let place = self.place.as_deref();
        tracing::error!(method, panic = self.text, place, "a handler panicked");
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}

thread_local! {
    /// How many [`catch`]es are on the stack of this thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic beneath one of them happened, until it is taken.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// This thread runs code whose panics are caught.
struct Running;

impl Running {
    fn begin() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Makes the panics of this process quiet that are caught and logged: their places are noted for the one line, and no
/// backtrace is made, which takes 0.3 s and 230 MiB for the first one. All others go on as before.
///
/// For a program that is a node. A library leaves the hook to its user.
pub fn install_hook() {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !note(panic) {
                before(panic);
            }
        }));
    });
}

/// Whether a panic of this thread, now, would be caught and cost no more than a call.
pub fn is_guarded() -> bool {
    DEPTH.try_with(Cell::get).unwrap_or(0) > 0
}

/// Notes where a panic happened that will be caught. Returns whether it is one.
fn note(panic: &std::panic::PanicHookInfo<'_>) -> bool {
    if !is_guarded() {
        return false;
    }
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let earlier = PLACE.try_with(|noted| noted.replace(Some(place.clone()))).ok().flatten();
    if let Some(earlier) = earlier {
        // The process may be about to abort, as it does where a destructor panics while a panic unwinds.
        tracing::error!(panic = text(panic.payload()), place, earlier, "a panic followed another");
    }
    true
}

/// The outcome of another's code, which answers a call to this path; `Internal` where it panics.
pub(crate) fn guard<F>(path: Path, code: F) -> Guard<F> {
    Guard { code: Some(code), path, is_caught: false }
}

/// The same, but the code's panics go on if a caller [`guard`]s it already.
pub(crate) fn guard_unless<F>(is_caught: bool, path: Path, code: F) -> Guard<F> {
    Guard { code: Some(code), path, is_caught }
}

pin_project_lite::pin_project! {
    /// Code that may panic, also where it is dropped before it has ended, as that of a cancelled call is.
    pub(crate) struct Guard<F> {
        #[pin]
        code: Option<F>,
        path: Path,
        is_caught: bool,
    }

    impl<F> PinnedDrop for Guard<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.is_caught {
                end(this.code, this.path);
            }
        }
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Guard<F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(code) = this.code.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(Status::internal("the handler has ended")));
        };
        if *this.is_caught {
            return code.poll(task);
        }
        match catch(|| code.poll(task)) {
            Ok(polled) => polled,
            Err(panic) => {
                let status = panic.status(this.path);
                end(this.code, this.path);
                Poll::Ready(Err(status))
            }
        }
    }
}

/// Drops the code, which may panic as well.
fn end<F>(mut code: Pin<&mut Option<F>>, path: &Path) {
    if code.is_none() {
        return;
    }
    if let Err(panic) = catch(|| code.set(None)) {
        panic.log(path);
    }
}

/// The future's output, or the panic that ended it.
pub fn caught<F>(code: F) -> CaughtFuture<F> {
    CaughtFuture { code }
}

pin_project_lite::pin_project! {
    /// Code that may panic, and answers no call.
    pub struct CaughtFuture<F> {
        #[pin]
        code: F,
    }
}

impl<F: Future> Future for CaughtFuture<F> {
    type Output = Result<F::Output, Caught>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match catch(|| this.code.poll(task)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// The stream that answers a call to this path, ended by `Internal` where polling it panics.
pub(crate) fn guard_stream(path: Path, stream: Streaming<Payload>) -> Streaming<Payload> {
    if !stream.runs_code() {
        return stream;
    }
    Streaming::from_source(Guarded { stream, path })
}

struct Guarded {
    stream: Streaming<Payload>,
    path: Path,
}

impl Guarded {
    /// Drops the stream, which may panic as well.
    fn end(&mut self) {
        if let Err(panic) = catch(|| self.stream = Streaming::empty()) {
            panic.log(&self.path);
        }
    }
}

impl Source<Payload> for Guarded {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let polled = catch(|| self.stream.poll_message(task));
        let polled = polled.map(|polled| polled.map_err(Status::processed));
        polled.unwrap_or_else(|panic| {
            let status = panic.status(&self.path);
            self.end();
            Poll::Ready(Some(Err(status)))
        })
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        catch(|| self.stream.take_trailers()).unwrap_or_default()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.stream.runs_code() {
            self.end();
        }
    }
}
