use bytes::BytesMut;
use futures_util::StreamExt;
use polywire::{
    Channel, Code, Codec, Compression, Context, Metadata, Payload, Response, Service, Status, Streaming,
    grpc::Grpc, transport::Transport,
};
use tokio::sync::Semaphore;

use super::fault::Fault;

/// The calling side.
pub(super) struct Caller {
    inner: Channel,
    fault: Fault,
    turn: Semaphore,
}

impl Caller {
    pub(super) fn new(inner: Channel, fault: Fault) -> Self {
        Self { inner, fault, turn: Semaphore::new(1) }
    }

    fn failure(&self, status: Status) -> Status {
        match self.fault {
            Fault::Codes
                if matches!(
                    status.code(),
                    Code::Aborted | Code::InvalidArgument | Code::DeadlineExceeded
                ) =>
            {
                Status::internal(status.message().to_owned())
            }
            Fault::NotProcessed => status.not_processed(),
            Fault::Unsure => Status::new(status.code(), status.message().to_owned()),
            _ => status,
        }
    }
}

impl Service for Caller {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let _turn = if self.fault == Fault::Concurrency { self.turn.acquire().await.ok() } else { None };
        let (inner, codec) = (self.inner.clone(), cx.codec().unwrap_or(Grpc.codec()));
        let cx = if self.fault == Fault::Patience { patient(&cx)? } else { cx };
        let call = async move { inner.unary(cx, message).await };
        let outcome = if matches!(self.fault, Fault::Cancellation | Fault::Patience) {
            tokio::spawn(call).await.unwrap_or_else(|error| Err(Status::internal(error.to_string())))
        } else {
            call.await
        };
        let mut response = outcome.map_err(|status| self.failure(status))?;
        match self.fault {
            Fault::Trailers => response.trailers = Metadata::new(),
            // Made anew of its bytes alone, a message does not know that it came plain.
            Fault::Boast => {
                response.message = recoded(codec, response.message)?;
                response.compression = Some(Compression::Gzip);
            }
            Fault::Memory => std::mem::forget(vec![0_u8; 1 << 10]),
            _ => {}
        }
        Ok(response)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let messages = match self.fault {
            Fault::Backpressure => read_ahead(messages),
            Fault::Interleaving => Streaming::from_iter(collect(messages).await?),
            // Made anew of its bytes alone, a message does not know that it is to stay plain.
            Fault::Choice => {
                let codec = cx.codec().unwrap_or(Grpc.codec());
                Streaming::new(messages.map(move |message| recoded(codec, message?)))
            }
            _ => messages,
        };
        let cx = if self.fault == Fault::Patience { patient(&cx)? } else { cx };
        let response = self.inner.stream(cx, messages).await.map_err(|status| self.failure(status))?;
        let fault = self.fault;
        Ok(response.map(|answers| match fault {
            Fault::Backpressure => read_ahead(answers),
            Fault::Patience => read_on(answers),
            // Made anew of its messages alone, a stream has no trailers.
            Fault::Trailers => Streaming::new(answers),
            Fault::QuietEnd => {
                Streaming::new(answers.take_while(|answer| std::future::ready(answer.is_ok())))
            }
            Fault::Losses => Streaming::new(
                answers.enumerate().filter_map(async |(at, answer)| (at % 1_000 != 999).then_some(answer)),
            ),
            _ => answers,
        }))
    }
}

/// The same call, without its deadline.
fn patient(cx: &Context) -> Result<Context, Status> {
    let caller = polywire::Caller::new("grpc");
    let patient = Context::incoming(cx.path().to_owned(), caller.into())?;
    Ok(match cx.codec() {
        Some(codec) => patient.with_codec(codec),
        None => patient,
    })
}

/// The same message, of its bytes alone.
fn recoded(codec: Codec, message: Payload) -> Result<Payload, Status> {
    let mut buffer = BytesMut::new();
    message.encode(codec, &mut buffer)?;
    Ok(Payload::encoded(codec, buffer.freeze()))
}

/// The same messages, taken as fast as they come.
fn read_ahead(mut messages: Streaming<Payload>) -> Streaming<Payload> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    Streaming::new(futures_util::stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    }))
}

/// The same messages, which are taken to their end whether or not they are read.
fn read_on(mut messages: Streaming<Payload>) -> Streaming<Payload> {
    let (sender, receiver) = Streaming::channel(1);
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            // An error says that the reader is gone.
            let _ = sender.send(message).await;
        }
    });
    receiver
}

async fn collect(mut messages: Streaming<Payload>) -> Result<Vec<Payload>, Status> {
    let mut all = Vec::new();
    while let Some(message) = messages.message().await? {
        all.push(message);
    }
    Ok(all)
}
