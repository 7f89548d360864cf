use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use tonic::{
    Status,
    body::Body,
    codec::CompressionEncoding,
    codegen::Service,
    server::{Grpc, NamedService},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::{flags::Flags, test_service};

/// The key whose ASCII value comes back before the answer.
const INITIAL: HeaderName = HeaderName::from_static("x-grpc-test-echo-initial");

/// The key whose binary value comes back behind the answer.
const TRAILING: HeaderName = HeaderName::from_static("x-grpc-test-echo-trailing-bin");

/// `grpc.testing.TestService`, as a tonic server takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestServiceServer;

impl NamedService for TestServiceServer {
    const NAME: &'static str = "grpc.testing.TestService";
}

impl Service<http::Request<Body>> for TestServiceServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let echo = Echo::of(request.headers());
            Ok(echo.onto(answer(watched(request)).await))
        })
    }
}

/// The request, whose handler can ask for the [`Flags`] of its messages.
fn watched(mut request: http::Request<Body>) -> http::Request<Body> {
    let flags = Flags::default();
    let mut reader = flags.reader();
    request.extensions_mut().insert(flags);
    request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            reader.read(frame.data_ref().map_or(&[], |data| data));
            frame
        }))
    })
}

/// What the method that the path names answers.
async fn answer(request: http::Request<Body>) -> http::Response<Body> {
    match request.uri().path() {
        "/grpc.testing.TestService/EmptyCall" => {
            grpc().unary(service_fn(test_service::empty_call), request).await
        }
        "/grpc.testing.TestService/UnaryCall" => {
            grpc().unary(service_fn(test_service::unary_call), request).await
        }
        "/grpc.testing.TestService/CacheableUnaryCall" => {
            grpc().unary(service_fn(test_service::cacheable_unary_call), request).await
        }
        "/grpc.testing.TestService/StreamingInputCall" => {
            grpc().client_streaming(service_fn(test_service::streaming_input_call), request).await
        }
        "/grpc.testing.TestService/StreamingOutputCall" => {
            grpc().server_streaming(service_fn(test_service::streaming_output_call), request).await
        }
        "/grpc.testing.TestService/FullDuplexCall" => {
            grpc().streaming(service_fn(test_service::full_duplex_call), request).await
        }
        "/grpc.testing.TestService/HalfDuplexCall" => {
            grpc().streaming(service_fn(test_service::half_duplex_call), request).await
        }
        // UnimplementedCall too.
        path => Status::unimplemented(format!("{path} is not implemented")).into_http(),
    }
}

/// tonic's server of one call, with the compression that every implementation of gRPC knows.
fn grpc<T, U>() -> Grpc<ProstCodec<T, U>>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
}

/// The metadata that come back. A handler of tonic's cannot set trailing metadata of a call that succeeds, so this
/// is done around it.
struct Echo {
    initial: Option<HeaderValue>,
    trailing: Option<HeaderValue>,
}

impl Echo {
    fn of(headers: &HeaderMap) -> Self {
        Self { initial: headers.get(INITIAL).cloned(), trailing: headers.get(TRAILING).cloned() }
    }

    fn onto(self, mut response: http::Response<Body>) -> http::Response<Body> {
        if let Some(initial) = self.initial {
            response.headers_mut().insert(INITIAL, initial);
        }
        let Some(trailing) = self.trailing else { return response };
        response.map(|body| {
            Body::new(body.map_frame(move |mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    trailers.insert(TRAILING, trailing.clone());
                }
                frame
            }))
        })
    }
}
