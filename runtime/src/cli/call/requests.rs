use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::stream;
use tokio::sync::{Mutex, mpsc};

use super::{
    form::{Form, Request},
    input::{BadJson, Input},
};
use crate::{Codec, Payload, Status, Streaming};

/// The requests of a call, as they come in. While another target may have to be called with the same ones,
/// they are also kept.
pub(super) struct Requests {
    tape: Mutex<Tape>,
    /// Beside the tape, for whoever waits for the next request holds that.
    keeping: AtomicBool,
    bad: OnceLock<BadJson>,
}

struct Tape {
    source: mpsc::Receiver<Result<Request, BadJson>>,
    kept: Vec<Request>,
    /// How many came in and were not kept, or not for long enough.
    forgotten: usize,
}

/// How many requests are kept: a call that has sent more of them is not made again.
const KEEP: usize = 1024;

impl Requests {
    /// Those that are there already.
    pub(super) fn given(text: &str, form: Form) -> Result<Self, BadJson> {
        let mut input = Input::new("the JSON argument", form);
        input.push(text);
        let mut requests = Vec::new();
        while let Some(request) = input.next()? {
            requests.push(request);
        }
        input.finish()?;
        let (sender, source) = mpsc::channel(requests.len().max(1));
        for request in requests {
            let _ = sender.try_send(Ok(request));
        }
        Ok(Self::new(source))
    }

    /// Those that stdin will hold, each as soon as its line is there.
    pub(super) fn stdin(form: Form) -> Self {
        let (sender, source) = mpsc::channel(1);
        // A thread, for a runtime waits for its blocking tasks, and nobody can make stdin end.
        std::thread::spawn(move || read_lines(io::stdin().lock(), form, &sender));
        Self::new(source)
    }

    fn new(source: mpsc::Receiver<Result<Request, BadJson>>) -> Self {
        let tape = Tape { source, kept: Vec::new(), forgotten: 0 };
        Self { tape: Mutex::new(tape), keeping: AtomicBool::new(false), bad: OnceLock::new() }
    }

    /// Those that come from the sender.
    #[cfg(test)]
    #[cfg(feature = "grpc")]
    pub(super) fn fed() -> (mpsc::Sender<Result<Request, BadJson>>, Self) {
        let (sender, source) = mpsc::channel(1);
        (sender, Self::new(source))
    }

    /// Keeps what comes in from now on, so that it can be sent again.
    pub(super) fn keep(&self) {
        self.keeping.store(true, Ordering::Relaxed);
    }

    /// Keeps nothing any more: the call has been taken.
    pub(super) fn forget(&self) {
        self.keeping.store(false, Ordering::Relaxed);
    }

    /// The next one that nobody has taken.
    pub(super) async fn next(&self) -> Option<Result<Request, BadJson>> {
        self.tape.lock().await.source.recv().await
    }

    /// All of them from the first on, in this codec.
    pub(super) fn stream(self: &Arc<Self>, codec: Codec) -> Streaming<Payload> {
        Streaming::new(stream::unfold((self.clone(), 0), move |(requests, index)| async move {
            let request = requests.at(index).await?;
            Some((request.and_then(|request| request.encode(codec)), (requests, index + 1)))
        }))
    }

    async fn at(&self, index: usize) -> Option<Result<Request, Status>> {
        match self.tape.lock().await.at(index, &self.keeping).await? {
            Ok(Ok(request)) => Some(Ok(request)),
            Ok(Err(bad)) => {
                let status = Status::cancelled(bad.to_string());
                let _ = self.bad.set(bad);
                Some(Err(status))
            }
            Err(status) => Some(Err(status)),
        }
    }

    /// Why the requests, and with them the call, ended early.
    pub(super) fn bad(&self) -> Option<&BadJson> {
        self.bad.get()
    }
}

impl Tape {
    async fn at(
        &mut self,
        index: usize,
        keeping: &AtomicBool,
    ) -> Option<Result<Result<Request, BadJson>, Status>> {
        let Some(kept) = index.checked_sub(self.forgotten) else {
            let reason = "the call cannot be made again: its first requests are no longer there";
            return Some(Err(Status::failed_precondition(reason)));
        };
        if let Some(request) = self.kept.get(kept) {
            return Some(Ok(Ok(request.clone())));
        }
        let request = self.source.recv().await?;
        if let Ok(request) = &request {
            self.kept.push(request.clone());
            if !keeping.load(Ordering::Relaxed) || self.kept.len() > KEEP {
                keeping.store(false, Ordering::Relaxed);
                self.forgotten += self.kept.len();
                self.kept = Vec::new();
            }
        }
        Some(Ok(request))
    }
}

fn read_lines(mut source: impl io::BufRead, form: Form, sink: &mpsc::Sender<Result<Request, BadJson>>) {
    let mut input = Input::new("stdin", form);
    let mut line = String::new();
    loop {
        match source.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => input.push(&line),
            // What is not UTF-8 comes here too.
            Err(error) => {
                let _ = sink.blocking_send(Err(input.broken(&error)));
                return;
            }
        }
        line.clear();
        loop {
            let request = match input.next() {
                Ok(Some(request)) => Ok(request),
                Ok(None) => break,
                Err(bad) => Err(bad),
            };
            let over = request.is_err();
            if sink.blocking_send(request).is_err() || over {
                return;
            }
        }
    }
    if let Err(bad) = input.finish() {
        let _ = sink.blocking_send(Err(bad));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn drain(stream: &mut Streaming<Payload>, count: usize) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        for _ in 0..count {
            let message = stream.message().await.unwrap().unwrap();
            messages.push(message.as_encoded(Codec::MessagePack).unwrap().to_vec());
        }
        messages
    }

    fn given(text: &str) -> Arc<Requests> {
        Arc::new(Requests::given(text, Form::Plain).unwrap())
    }

    #[tokio::test]
    async fn kept_requests_are_sent_again_and_followed_by_the_others() {
        let requests = given("1 2 3");
        requests.keep();
        let mut first = requests.stream(Codec::MessagePack);
        assert_eq!(drain(&mut first, 2).await, [[1], [2]]);
        drop(first);
        let mut second = requests.stream(Codec::MessagePack);
        assert_eq!(drain(&mut second, 3).await, [[1], [2], [3]]);
        assert!(second.message().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_was_not_kept_is_not_sent_again() {
        let requests = given("1 2");
        drain(&mut requests.stream(Codec::MessagePack), 1).await;
        let status = requests.stream(Codec::MessagePack).message().await.unwrap_err();
        assert_eq!(status.code(), crate::Code::FailedPrecondition);
    }

    #[tokio::test]
    async fn a_stream_goes_on_where_its_requests_are_forgotten_under_way() {
        let requests = given("1 2");
        requests.keep();
        let mut stream = requests.stream(Codec::MessagePack);
        drain(&mut stream, 1).await;
        requests.forget();
        assert_eq!(drain(&mut stream, 1).await, [[2]]);
    }

    #[test]
    fn lines_are_requests_until_one_is_not() {
        let (sender, mut source) = mpsc::channel(9);
        read_lines("{}\n[1,\n2]\nnope\n{}\n".as_bytes(), Form::Plain, &sender);
        drop(sender);
        assert_eq!(source.try_recv().unwrap(), Ok(Request::Plain(json!({}))));
        assert_eq!(source.try_recv().unwrap(), Ok(Request::Plain(json!([1, 2]))));
        let bad = source.try_recv().unwrap().unwrap_err();
        assert!(bad.to_string().starts_with("stdin, line 4, column 2: "), "{bad}");
        assert!(source.try_recv().is_err());
    }

    #[test]
    fn what_cannot_be_read_is_no_end_of_the_stream() {
        let (sender, mut source) = mpsc::channel(9);
        read_lines(&b"{}\n{\n\xff}\n"[..], Form::Plain, &sender);
        drop(sender);
        assert!(source.try_recv().unwrap().is_ok());
        let bad = source.try_recv().unwrap().unwrap_err().to_string();
        assert!(bad.starts_with("stdin, line 3, column 1: ") && bad.contains("UTF-8"), "{bad}");
    }

    #[tokio::test]
    async fn bad_json_ends_the_stream_and_is_remembered() {
        let (sender, source) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || read_lines("nope".as_bytes(), Form::Plain, &sender))
            .await
            .unwrap();
        let requests = Arc::new(Requests::new(source));
        assert!(requests.stream(Codec::MessagePack).message().await.is_err());
        assert!(requests.bad().is_some());
    }
}
