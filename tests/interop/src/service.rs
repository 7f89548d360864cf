//! The services of `grpc.testing`, as annotated traits.

use polywire::{Context, Response, Status, Streaming};

use crate::messages::{
    Empty, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};

/// What interoperability tests call.
#[polywire::service(package = "grpc.testing")]
pub trait TestService {
    /// Nothing for nothing.
    async fn empty_call(&self, request: Empty) -> Result<Empty, Status>;

    /// One answer, as the request describes it.
    async fn unary_call(
        &self,
        cx: &Context,
        request: SimpleRequest,
    ) -> Result<Response<SimpleResponse>, Status>;

    /// An answer that a proxy may keep: it tells when it was made.
    #[rpc(idempotent)]
    async fn cacheable_unary_call(
        &self,
        cx: &Context,
        request: SimpleRequest,
    ) -> Result<Response<SimpleResponse>, Status>;

    /// One answer for each of the request's parameters.
    async fn streaming_output_call(
        &self,
        cx: &Context,
        request: StreamingOutputCallRequest,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>, Status>;

    /// How many bytes all requests had together.
    async fn streaming_input_call(
        &self,
        cx: &Context,
        requests: Streaming<StreamingInputCallRequest>,
    ) -> Result<Response<StreamingInputCallResponse>, Status>;

    /// The answers to each request as it comes.
    async fn full_duplex_call(
        &self,
        cx: &Context,
        requests: Streaming<StreamingOutputCallRequest>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>, Status>;

    /// The answers to all requests, once the last has come.
    async fn half_duplex_call(
        &self,
        cx: &Context,
        requests: Streaming<StreamingOutputCallRequest>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>, Status>;

    /// A method that no server implements.
    async fn unimplemented_call(&self, request: Empty) -> Result<Empty, Status>;
}

/// A service that no server has; clients call it all the same.
#[polywire::service(package = "grpc.testing")]
pub trait UnimplementedService {
    /// What cannot be had.
    async fn unimplemented_call(&self, request: Empty) -> Result<Empty, Status>;
}
