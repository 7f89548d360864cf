//! The methods of the test service, as functions over tonic's own requests and answers.

use std::time::{Duration, SystemTime};

use futures_util::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use polywire_interop::messages::{
    BoolValue, EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataValue};

use crate::flags::Flags;

type Answers = BoxStream<'static, Result<StreamingOutputCallResponse, Status>>;

pub(crate) async fn empty_call(request: Request<Empty>) -> Result<Response<Empty>, Status> {
    Ok(Response::new(request.into_inner()))
}

pub(crate) async fn unary_call(
    mut request: Request<SimpleRequest>,
) -> Result<Response<SimpleResponse>, Status> {
    let flags = flags(&mut request);
    let request = request.into_inner();
    check(request.expect_compressed.as_ref(), &flags)?;
    status(request.response_status.as_ref())?;
    let payload = Some(zeros(request.response_size)?);
    let mut response = Response::new(SimpleResponse { payload, ..SimpleResponse::default() });
    if !is_true(request.response_compressed.as_ref()) {
        response.disable_compression();
    }
    Ok(response)
}

pub(crate) async fn cacheable_unary_call(
    _: Request<SimpleRequest>,
) -> Result<Response<SimpleResponse>, Status> {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let payload = Payload { body: now.to_string().into(), ..Payload::default() };
    let message = SimpleResponse { payload: Some(payload), ..SimpleResponse::default() };
    let mut response = Response::new(message);
    let value = MetadataValue::from_static("max-age=60, public");
    response.metadata_mut().insert("cache-control", value);
    Ok(response)
}

pub(crate) async fn streaming_input_call(
    mut request: Request<Streaming<StreamingInputCallRequest>>,
) -> Result<Response<StreamingInputCallResponse>, Status> {
    let flags = flags(&mut request);
    let mut requests = request.into_inner();
    let mut bytes = 0;
    while let Some(request) = requests.message().await? {
        check(request.expect_compressed.as_ref(), &flags)?;
        bytes += request.payload.map_or(0, |payload| payload.body.len());
    }
    let aggregated_payload_size =
        i32::try_from(bytes).map_err(|_| Status::out_of_range("more bytes than the answer can say"))?;
    Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size }))
}

/// All answers are compressed or none, for tonic does not let a handler choose for each.
pub(crate) async fn streaming_output_call(
    request: Request<StreamingOutputCallRequest>,
) -> Result<Response<Answers>, Status> {
    let request = request.into_inner();
    let compressed = request.response_parameters.iter().any(|asked| is_true(asked.compressed.as_ref()));
    let mut response = Response::new(answers(request).boxed());
    if !compressed {
        response.disable_compression();
    }
    Ok(response)
}

pub(crate) async fn full_duplex_call(
    request: Request<Streaming<StreamingOutputCallRequest>>,
) -> Result<Response<Answers>, Status> {
    Ok(Response::new(request.into_inner().map_ok(answers).try_flatten().boxed()))
}

pub(crate) async fn half_duplex_call(
    request: Request<Streaming<StreamingOutputCallRequest>>,
) -> Result<Response<Answers>, Status> {
    let requests: Vec<_> = request.into_inner().try_collect().await?;
    Ok(Response::new(stream::iter(requests).flat_map(answers).boxed()))
}

/// What one request of a stream is answered with, each answer at its time.
fn answers(
    request: StreamingOutputCallRequest,
) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send + 'static {
    let outcome = status(request.response_status.as_ref());
    let asked = if outcome.is_ok() { request.response_parameters } else { Vec::new() };
    stream::iter(outcome.err().map(Err)).chain(stream::iter(asked).then(answer))
}

async fn answer(asked: ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    let interval = u64::try_from(asked.interval_us)
        .map_err(|_| Status::invalid_argument("a negative interval between answers"))?;
    tokio::time::sleep(Duration::from_micros(interval)).await;
    Ok(StreamingOutputCallResponse { payload: Some(zeros(asked.size)?) })
}

fn flags<T>(request: &mut Request<T>) -> Flags {
    request.extensions_mut().remove().unwrap_or_default()
}

/// Whether the next message came as its request says.
fn check(expected: Option<&BoolValue>, flags: &Flags) -> Result<(), Status> {
    let found = flags.next();
    match expected {
        Some(expected) if expected.value != found => Err(Status::invalid_argument(format!(
            "expected compressed to be {}, found {found}",
            expected.value
        ))),
        _ => Ok(()),
    }
}

fn is_true(asked: Option<&BoolValue>) -> bool {
    asked.is_some_and(|asked| asked.value)
}

fn status(asked: Option<&EchoStatus>) -> Result<(), Status> {
    match asked {
        Some(asked) if asked.code != 0 => Err(Status::new(Code::from(asked.code), asked.message.clone())),
        _ => Ok(()),
    }
}

fn zeros(size: i32) -> Result<Payload, Status> {
    let size = usize::try_from(size).map_err(|_| Status::invalid_argument("a negative size"))?;
    Ok(Payload { body: vec![0; size].into(), ..Payload::default() })
}
