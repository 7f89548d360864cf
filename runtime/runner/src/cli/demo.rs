//! A service for the tests of this module, whose messages cover all kinds of fields.
use std::{collections::BTreeMap, sync::LazyLock};

use bytes::Bytes;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use serde::{Deserialize, Serialize};

use super::reflection::message::{
    Answer, ErrorResponse, FileDescriptorResponse, ListServiceResponse, Question, ReflectionResponse,
    Request, ServiceResponse,
};
use polywire_core::{__runner::body, Channel, Context, Payload, Response, Service, Status, Streaming};

const PROTO: &str = r#"
syntax = "proto3";
package demo.v1;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "demo/color.proto";

service Demo {
  rpc Get(Item) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Put(Item) returns (Item);
  rpc Watch(Item) returns (stream Item);
  rpc Import(stream Item) returns (Item);
  rpc Sync(stream Item) returns (stream Item);
}

message Item {
  string name = 1;
  optional uint32 count = 2;
  bytes picture = 3;
  repeated int64 sizes = 4;
  map<int32, Item> parts = 5;
  Color color = 6;
  oneof price { double exact = 7; Item barter_for = 8; }
  Item inside = 9;
  string type = 10;
  bool fooBar = 11;
  float self = 12;
}

message Dated { google.protobuf.Timestamp at = 1; }

service Odd {
  rpc Keep(Odds) returns (Odds) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Pass(stream Odds) returns (stream Odds);
}

message Odds {
  google.protobuf.Any any = 1;
  google.protobuf.Timestamp at = 2;
  google.protobuf.Duration took = 3;
  google.protobuf.Value value = 4;
  google.protobuf.FieldMask mask = 5;
  repeated google.protobuf.Any all = 6;
  int32 i32 = 7;
}
"#;

/// A file that the servers' reflection has and the binary under test has not.
const SECRET: &str = r#"
syntax = "proto3";
package demo.v1;
import "google/protobuf/any.proto";
message Secret { string word = 1; google.protobuf.Any inner = 2; }
"#;

const COLOR: &str = r#"
syntax = "proto3";
package demo.v1;
enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; }
"#;

/// `demo.v1.Item` as prost generates it, with our serde attributes.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Item {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, optional, tag = "2")]
    pub(super) count: Option<u32>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) picture: Bytes,
    #[prost(int64, repeated, tag = "4")]
    pub(super) sizes: Vec<i64>,
    #[prost(btree_map = "int32, message", tag = "5")]
    pub(super) parts: BTreeMap<i32, Self>,
    #[prost(int32, tag = "6")]
    pub(super) color: i32,
    #[prost(message, optional, boxed, tag = "9")]
    pub(super) inside: Option<Box<Self>>,
    #[prost(string, tag = "10")]
    pub(super) r#type: String,
    #[prost(bool, tag = "11")]
    pub(super) foo_bar: bool,
    #[prost(float, tag = "12")]
    pub(super) self_: f32,
    #[prost(oneof = "Price", tags = "7, 8")]
    pub(super) price: Option<Price>,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize, Deserialize)]
pub(super) enum Price {
    #[prost(double, tag = "7")]
    Exact(f64),
    #[prost(message, boxed, tag = "8")]
    BarterFor(Box<Item>),
}

/// One with every field set.
pub(super) fn full_item() -> Item {
    let part = |name: &str| Item { name: name.to_owned(), ..Item::default() };
    Item {
        name: "\u{1f980}".to_owned(),
        count: Some(0),
        picture: Bytes::from_static(&[0, 255]),
        sizes: vec![i64::MIN, -1, i64::MAX],
        parts: BTreeMap::from([(-7, part("left")), (7, part("right"))]),
        color: 1,
        inside: Some(Box::new(part("inner"))),
        r#type: "fruit".to_owned(),
        foo_bar: true,
        self_: 0.5,
        price: Some(Price::BarterFor(Box::new(part("other")))),
    }
}

/// Every file, imports included.
pub(super) fn pool() -> DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| compile(&["demo.proto"]));
    POOL.clone()
}

/// The same, with the files that only servers have.
pub(super) fn everything() -> DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| compile(&["demo.proto", "demo/secret.proto"]));
    POOL.clone()
}

fn compile(files: &[&str]) -> DescriptorPool {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_files(files).unwrap();
    compiler.descriptor_pool()
}

pub(super) fn descriptor_set() -> Bytes {
    pool().encode_to_vec().into()
}

pub(super) fn message(name: &str) -> MessageDescriptor {
    pool().get_message_by_name(&format!("demo.v1.{name}")).unwrap()
}

struct Source;

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            "demo.proto" => File::from_source(name, PROTO),
            "demo/color.proto" => File::from_source(name, COLOR),
            "demo/secret.proto" => File::from_source(name, SECRET),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Reflection of a server that has these files. It sends the requested file alone and lacks protobuf's own files, as many
/// servers do.
pub(super) fn reflected(files: &DescriptorPool, questions: Streaming<Payload>) -> Streaming<Payload> {
    let files = files.clone();
    Streaming::new(futures_util::StreamExt::map(questions, move |question| {
        let question = question?.decode::<Request>()?.question;
        Ok(Payload::new(ReflectionResponse { answer: question.map(|question| answer(&files, &question)) }))
    }))
}

fn answer(files: &DescriptorPool, question: &Question) -> Answer {
    let file = match question {
        Question::ListServices(_) => {
            let names = ["demo.v1.Demo", "gone.v1.Gone"];
            let service = names.map(|name| ServiceResponse { name: name.to_owned() });
            return Answer::Services(ListServiceResponse { service: service.into() });
        }
        Question::FileContainingSymbol(name) => files
            .get_service_by_name(name)
            .map(|service| service.parent_file())
            .or_else(|| Some(files.get_message_by_name(name)?.parent_file())),
        Question::FileByFilename(name) => {
            files.get_file_by_name(name).filter(|_| !name.starts_with("google/"))
        }
    };
    match file {
        Some(file) => {
            let file_descriptor_proto = vec![file.encode_to_vec().into()];
            Answer::Files(FileDescriptorResponse { file_descriptor_proto })
        }
        None => Answer::Error(ErrorResponse { error_code: 5, error_message: "unknown symbol".to_owned() }),
    }
}

/// A peer that answers each call, unary or stream, with the function.
pub(super) fn peer(
    answer: impl Fn(&Context, Streaming<Payload>) -> Result<Streaming<Payload>, Status> + Send + Sync + 'static,
) -> Channel {
    Channel::new(Peer(answer))
}

struct Peer<F>(F);

impl<F> Service for Peer<F>
where
    F: Fn(&Context, Streaming<Payload>) -> Result<Streaming<Payload>, Status> + Send + Sync + 'static,
{
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut answers = (self.0)(&cx, Streaming::once(message))?;
        Ok(Response::new(body::single(&mut answers).await?))
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Ok(Response::new((self.0)(&cx, messages)?))
    }
}
