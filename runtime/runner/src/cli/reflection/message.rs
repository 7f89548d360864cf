//! The messages of `grpc.reflection.v1` that the client needs. They travel as protobuf only, so their names do not
//! matter.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// `ServerReflectionRequest`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Request {
    #[prost(string, tag = "1")]
    pub(in crate::cli) host: String,
    #[prost(oneof = "Question", tags = "3, 4, 7")]
    pub(in crate::cli) question: Option<Question>,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize, Deserialize)]
pub(in crate::cli) enum Question {
    #[prost(string, tag = "3")]
    FileByFilename(String),
    #[prost(string, tag = "4")]
    FileContainingSymbol(String),
    #[prost(string, tag = "7")]
    ListServices(String),
}

/// `ServerReflectionResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct ReflectionResponse {
    #[prost(oneof = "Answer", tags = "4, 6, 7")]
    pub(in crate::cli) answer: Option<Answer>,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize, Deserialize)]
pub(in crate::cli) enum Answer {
    #[prost(message, tag = "4")]
    Files(FileDescriptorResponse),
    #[prost(message, tag = "6")]
    Services(ListServiceResponse),
    #[prost(message, tag = "7")]
    Error(ErrorResponse),
}

/// Files, each an encoded `FileDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct FileDescriptorResponse {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(in crate::cli) file_descriptor_proto: Vec<Bytes>,
}

/// All services.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct ListServiceResponse {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::cli) service: Vec<ServiceResponse>,
}

/// A service.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct ServiceResponse {
    #[prost(string, tag = "1")]
    pub(in crate::cli) name: String,
}

/// The error of a question.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct ErrorResponse {
    #[prost(int32, tag = "1")]
    pub(in crate::cli) error_code: i32,
    #[prost(string, tag = "2")]
    pub(in crate::cli) error_message: String,
}
