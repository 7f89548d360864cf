use std::fmt;

use crate::{Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming, panic};

/// A service whose panics cost the call that they happen in: it fails with `Internal`, and the panic's text is
/// logged and stays in this process. A generated server guards its handlers by itself; what stands before it, a
/// layer or a service written by hand, does not. The framing over streams of bytes answers with this already; a
/// transport of messages puts it around [`Serving::service`](crate::transport::Serving::service).
///
/// ```
/// # use polywire::{Context, Payload, Response, Service, Status, Streaming};
/// # struct Clumsy;
/// # impl Service for Clumsy {
/// #     async fn unary(&self, _: Context, _: Payload) -> Result<Response<Payload>, Status> { panic!("a secret") }
/// #     async fn stream(&self, _: Context, _: Streaming<Payload>) -> Result<Response<Streaming<Payload>>, Status> {
/// #         panic!("a secret")
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use polywire::{Code, transport::CatchPanic};
///
/// let service = CatchPanic::new(Clumsy);
/// let outcome = service.stream(Context::new(), Streaming::empty()).await;
/// assert_eq!(outcome.err().map(|status| status.code()), Some(Code::Internal));
/// # }
/// ```
#[derive(Clone)]
pub struct CatchPanic(Channel);

impl CatchPanic {
    /// The same service, guarded.
    pub fn new(service: impl Service) -> Self {
        Self(Channel::new(service))
    }
}

impl Service for CatchPanic {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        panic::guard(cx.path.clone(), self.0.unary(cx, message)).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let path = cx.path.clone();
        let response = panic::guard(path.clone(), self.0.stream(cx, messages)).await?;
        Ok(response.map(|messages| {
            let compression = messages.compression();
            panic::guard_stream(path, messages).received_with(compression)
        }))
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.0.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.0.services()
    }
}

impl fmt::Debug for CatchPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CatchPanic").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::{Code, Codec};

    const SECRET: &str = "a secret of this process";

    /// Panics before it answers a message, and amid the answers to a stream.
    struct Clumsy;

    impl Service for Clumsy {
        async fn unary(&self, _: Context, _: Payload) -> Result<Response<Payload>, Status> {
            panic!("{SECRET}")
        }

        async fn stream(
            &self,
            _: Context,
            _: Streaming<Payload>,
        ) -> Result<Response<Streaming<Payload>>, Status> {
            let answers = futures_util::stream::iter(0..2).map(|number| {
                assert_eq!(number, 0, "{SECRET}");
                Ok(Payload::encoded(Codec::Protobuf, bytes::Bytes::new()))
            });
            Ok(Response::new(Streaming::new(answers)))
        }
    }

    #[tokio::test]
    async fn a_panic_before_or_amid_the_answers_is_internal_and_its_text_stays() {
        let service = CatchPanic::new(Clumsy);
        let message = Payload::encoded(Codec::Protobuf, bytes::Bytes::new());
        let before = service.unary(Context::new(), message).await.map(|_| ()).unwrap_err();
        let answers = service.stream(Context::new(), Streaming::empty()).await.unwrap();
        let mut answers = answers.message;
        assert!(answers.next().await.is_some_and(|answer| answer.is_ok()));
        let amid = answers.next().await.unwrap().map(|_| ()).unwrap_err();
        for status in [before, amid] {
            assert_eq!(status.code(), Code::Internal);
            assert!(!status.message().contains(SECRET), "{status}");
        }
        assert!(answers.next().await.is_none());
    }
}
