use std::{
    io,
    sync::{Arc, OnceLock},
};

use futures_util::stream;
use tokio::sync::{Mutex, mpsc};

use super::{
    form::{Form, Request},
    input::{BadJson, Input},
};
use polywire_core::{Payload, Status, Streaming};

/// The requests of a call as they arrive.
pub(super) struct Requests {
    source: Mutex<mpsc::Receiver<Result<Request, BadJson>>>,
    bad: OnceLock<BadJson>,
}

impl Requests {
    /// The requests of a text.
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

    /// The requests of stdin, each as soon as its line has arrived.
    pub(super) fn stdin(form: Form) -> Self {
        let (sender, source) = mpsc::channel(1);
        // A plain thread: the runtime would wait for a blocking task, and a read of stdin cannot be cancelled.
        std::thread::spawn(move || read_lines(io::stdin().lock(), form, &sender));
        Self::new(source)
    }

    fn new(source: mpsc::Receiver<Result<Request, BadJson>>) -> Self {
        Self { source: Mutex::new(source), bad: OnceLock::new() }
    }

    /// The requests of a channel.
    #[cfg(test)]
    #[cfg(feature = "grpc")]
    pub(super) fn fed() -> (mpsc::Sender<Result<Request, BadJson>>, Self) {
        let (sender, source) = mpsc::channel(1);
        (sender, Self::new(source))
    }

    /// Takes the next request.
    pub(super) async fn next(&self) -> Option<Result<Request, BadJson>> {
        self.source.lock().await.recv().await
    }

    /// The remaining requests as a stream.
    pub(super) fn stream(self: &Arc<Self>) -> Streaming<Payload> {
        Streaming::new(stream::unfold(self.clone(), |requests| async move {
            let message = match requests.next().await? {
                Ok(request) => Ok(request.into_payload()),
                Err(bad) => {
                    let status = Status::cancelled(bad.to_string());
                    let _ = requests.bad.set(bad);
                    Err(status)
                }
            };
            Some((message, requests))
        }))
    }

    /// The error that ended the requests, and with them the call, early.
    pub(super) fn bad(&self) -> Option<&BadJson> {
        self.bad.get()
    }
}

pub(super) fn read_lines(
    mut source: impl io::BufRead,
    form: Form,
    sink: &mpsc::Sender<Result<Request, BadJson>>,
) {
    let mut input = Input::new("stdin", form.clone());
    let mut line = String::new();
    loop {
        match source.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => input.push(&line),
            // Also invalid UTF-8.
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
                Err(_) if form.learn_blocking() => {
                    input.again();
                    continue;
                }
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
    use polywire_core::Codec;

    #[tokio::test]
    async fn what_is_given_is_sent_in_order_and_then_no_more() {
        let mut sent = Arc::new(Requests::given("1 2 3", Form::Plain).unwrap()).stream();
        for number in 1..=3 {
            let mut bytes = bytes::BytesMut::new();
            sent.message().await.unwrap().unwrap().encode(Codec::MessagePack, &mut bytes).unwrap();
            assert_eq!(bytes[..], [number]);
        }
        assert!(sent.message().await.unwrap().is_none());
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
        assert!(requests.stream().message().await.is_err());
        assert!(requests.bad().is_some());
    }
}
