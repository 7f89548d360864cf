use std::error::Error as _;

use bytes::BytesMut;
use polywire::{
    Channel, Code, Codec, Context, Payload, Response, Service, Status, Streaming, transport::CatchPanic,
};

use super::{fault::Fault, panics};

/// The answering side.
pub(super) struct Answerer {
    inner: Channel,
    fault: Fault,
}

impl Answerer {
    pub(super) fn new(inner: Channel, fault: Fault) -> Self {
        // A panic is told of otherwise only where it is caught before the edge catches it.
        let inner = match fault {
            Fault::PanicText | Fault::PanicCode => Channel::new(CatchPanic::new(inner)),
            _ => inner,
        };
        Self { inner, fault }
    }

    /// The context without what the fault loses.
    fn context(&self, cx: Context) -> Result<Context, Status> {
        let keeps_deadline = self.fault != Fault::Deadline;
        let loses = [Fault::Deadline, Fault::RequestMetadata, Fault::RequestCompression];
        if !loses.contains(&self.fault) {
            return Ok(cx);
        }
        let caller = cx.caller().cloned().ok_or_else(|| Status::internal("a call without a caller"))?;
        let mut rebuilt = Context::incoming(cx.path().to_owned(), caller.into())?;
        if let Some(codec) = cx.codec() {
            rebuilt = rebuilt.with_codec(codec);
        }
        if let (true, Some(left)) = (keeps_deadline, cx.time_left()) {
            rebuilt = rebuilt.with_timeout(left);
        }
        if self.fault != Fault::RequestMetadata {
            *rebuilt.metadata_mut() = cx.metadata().clone();
        }
        Ok(rebuilt)
    }

    fn message(&self, codec: Option<Codec>, message: Payload) -> Result<Payload, Status> {
        let (Fault::Truncation, Some(codec)) = (self.fault, codec) else { return Ok(message) };
        let mut buffer = BytesMut::new();
        message.encode(codec, &mut buffer)?;
        buffer.truncate(buffer.len().saturating_sub(1));
        Ok(Payload::encoded(codec, buffer.freeze()))
    }
}

impl Service for Answerer {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let message = self.message(cx.codec(), message)?;
        let outcome = self.inner.unary(self.context(cx)?, message).await;
        let outcome = outcome.map_err(|status| match (self.fault, status.code()) {
            (Fault::PanicText, Code::Internal) => Status::internal(panics::last()),
            (Fault::CauseText, code) => {
                let cause = status.source().map(ToString::to_string).unwrap_or_default();
                Status::new(code, format!("{}: {cause}", status.message()))
            }
            (Fault::PanicCode, Code::Internal) => Status::unknown(status.message().to_owned()),
            _ => status,
        });
        let mut response = outcome?;
        if self.fault == Fault::AnswerCompression {
            response.compression = None;
        }
        Ok(response)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let mut response = self.inner.stream(self.context(cx)?, messages).await?;
        if self.fault == Fault::AnswerCompression {
            response.compression = None;
        }
        Ok(response)
    }

    fn method(&self, path: &str) -> Option<&'static polywire::Method> {
        self.inner.method(path).filter(|_| self.fault != Fault::Table)
    }
}
