//! The test service as the gRPC project describes it.

use std::{
    sync::mpsc,
    time::{Duration, SystemTime},
};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use polywire::{Context, Response, Status, Streaming};

use crate::{
    compressed,
    echo::{self, Echo},
    messages::{
        Empty, Payload, PayloadType, ResponseParameters, SimpleRequest, SimpleResponse,
        StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
        StreamingOutputCallResponse,
    },
    service::TestService,
};

/// Answers every method of the test service but the unimplemented one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Implementation;

/// The largest payload that a request can have made, in bytes. The node's own limit on messages is usually the
/// smaller one; this one keeps a request of a few bytes from asking for all memory.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// How many answers a half-duplex call keeps in mind until its last request has come.
pub const MAX_PENDING_ANSWERS: usize = 10_000;

impl TestService for Implementation {
    async fn empty_call(&self, request: Empty) -> Result<Empty, Status> {
        Ok(request)
    }

    async fn unary_call(
        &self,
        cx: &Context,
        request: SimpleRequest,
    ) -> Result<Response<SimpleResponse>, Status> {
        compressed::check(request.expect_compressed.as_ref(), cx.compression())?;
        echo::status(request.response_status.as_ref())?;
        let payload = payload(request.response_type, request.response_size)?;
        let username = cx.caller().and_then(|caller| caller.identity.as_ref().map(ToString::to_string));
        let compression = compressed::wanted(request.response_compressed.as_ref());
        let response = Echo::of(cx).around(SimpleResponse {
            payload: Some(payload),
            username: username.filter(|_| request.fill_username).unwrap_or_default(),
            ..SimpleResponse::default()
        });
        Ok(Response { compression, ..response })
    }

    async fn cacheable_unary_call(
        &self,
        cx: &Context,
        _: SimpleRequest,
    ) -> Result<Response<SimpleResponse>, Status> {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let payload = Payload { body: now.to_string().into(), ..Payload::default() };
        let message = SimpleResponse { payload: Some(payload), ..SimpleResponse::default() };
        let mut response = Echo::of(cx).around(message);
        // Proxies know it as HTTP's header field.
        let added = response.metadata.append("cache-control", "max-age=60, public");
        added.map_err(|error| Status::internal(error.to_string()))?;
        Ok(response)
    }

    async fn streaming_output_call(
        &self,
        cx: &Context,
        request: StreamingOutputCallRequest,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>, Status> {
        Ok(Echo::of(cx).around_stream(stream_of(stream::iter([Ok(request)]))))
    }

    async fn streaming_input_call(
        &self,
        cx: &Context,
        mut requests: Streaming<StreamingInputCallRequest>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut bytes = 0;
        while let Some(request) = requests.message().await? {
            compressed::check(request.expect_compressed.as_ref(), requests.last_compression())?;
            bytes += request.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = i32::try_from(bytes)
            .map_err(|_| Status::out_of_range(format!("{bytes} bytes are more than the answer can say")))?;
        Ok(Echo::of(cx).around(StreamingInputCallResponse { aggregated_payload_size }))
    }

    async fn full_duplex_call(
        &self,
        cx: &Context,
        requests: Streaming<StreamingOutputCallRequest>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>, Status> {
        Ok(Echo::of(cx).around_stream(stream_of(requests)))
    }

    async fn half_duplex_call(
        &self,
        cx: &Context,
        mut requests: Streaming<StreamingOutputCallRequest>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>, Status> {
        let echo = Echo::of(cx);
        let (mut pending, mut count) = (Vec::new(), 0);
        while let Some(mut request) = requests.message().await? {
            request.payload = None;
            count += request.response_parameters.len().max(1);
            if count > MAX_PENDING_ANSWERS {
                return Err(Status::resource_exhausted(format!("more than {MAX_PENDING_ANSWERS} answers")));
            }
            pending.push(request);
        }
        Ok(echo.around_stream(stream_of(stream::iter(pending).map(Ok))))
    }

    async fn unimplemented_call(&self, _: Empty) -> Result<Empty, Status> {
        Err(Status::unimplemented("UnimplementedCall is there to be unimplemented"))
    }
}

/// What these requests are answered with, each answer compressed or not, as it was asked for.
fn stream_of(
    requests: impl Stream<Item = Result<StreamingOutputCallRequest, Status>> + Send + 'static,
) -> Response<Streaming<StreamingOutputCallResponse>> {
    let (asked, next) = mpsc::channel();
    let answers = requests.map_ok(answers).try_flatten().map_ok(move |(answer, compressed)| {
        // A caller that reads the answers also asks about each.
        let _ = asked.send(compressed);
        answer
    });
    let answers = Streaming::new(answers).compress_if(move |_| next.try_recv().unwrap_or(false));
    Response::new(answers).with_compression(compressed::COMPRESSION)
}

/// What one request of a stream is answered with, each answer at its time, and whether it is to be compressed.
fn answers(
    request: StreamingOutputCallRequest,
) -> impl Stream<Item = Result<(StreamingOutputCallResponse, bool), Status>> + Send {
    let kind = request.response_type;
    let outcome = echo::status(request.response_status.as_ref());
    let parameters = if outcome.is_ok() { request.response_parameters } else { Vec::new() };
    let answers = stream::iter(parameters).then(move |parameters| answer(kind, parameters));
    stream::iter(outcome.err().map(Err)).chain(answers)
}

async fn answer(
    kind: i32,
    parameters: ResponseParameters,
) -> Result<(StreamingOutputCallResponse, bool), Status> {
    let interval = u64::try_from(parameters.interval_us)
        .map_err(|_| Status::invalid_argument("a negative interval between answers"))?;
    if interval > 0 {
        tokio::time::sleep(Duration::from_micros(interval)).await;
    }
    let answer = StreamingOutputCallResponse { payload: Some(payload(kind, parameters.size)?) };
    Ok((answer, compressed::wanted(parameters.compressed.as_ref()).is_some()))
}

/// Zeros.
fn payload(kind: i32, size: i32) -> Result<Payload, Status> {
    if PayloadType::try_from(kind) != Ok(PayloadType::Compressable) {
        return Err(Status::invalid_argument(format!("no payload of type {kind} is known here")));
    }
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_PAYLOAD_BYTES).ok_or_else(|| {
        let expected = format!("expected 0 to {MAX_PAYLOAD_BYTES}");
        Status::invalid_argument(format!("a payload of {size} bytes was asked for; {expected}"))
    })?;
    Ok(Payload { body: vec![0; size].into(), ..Payload::default() })
}
