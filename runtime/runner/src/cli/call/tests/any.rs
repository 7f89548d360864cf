//! Messages whose JSON needs more than their own schema, or that have none.

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, prost_types};
use serde_json::{Value as Json, json};

use super::*;
use crate::cli::json::{Types, read};

/// A server whose reflection knows every type, and that answers calls of `demo.v1.Odd` so.
fn odd(
    answer: impl Fn(Streaming<Payload>) -> Result<Streaming<Payload>, Status> + Send + Sync + 'static,
) -> Channel {
    let files = demo::everything();
    demo::peer(move |cx, messages| match cx.service() {
        "demo.v1.Odd" => answer(messages),
        "grpc.reflection.v1.ServerReflection" => Ok(demo::reflected(&files, messages)),
        _ => Err(Status::unimplemented("").not_processed()),
    })
}

struct Called {
    printed: Vec<Json>,
    result: Result<(), Failure>,
}

async fn call(method: &str, request: &str, codec: Option<Codec>, peer: Channel) -> Called {
    let client = Client::in_process([peer]).await;
    let mut printed = Vec::new();
    let output = Output::new(&mut printed, false);
    let method: MethodName = format!("demo.v1.Odd/{method}").parse().unwrap();
    let own = Own::node(crate::Node::builder().descriptors(demo::descriptor_set()));
    let result = make(&client, &own, &method, Metadata::new(), codec, Some(request.to_owned()), output).await;
    let printed = String::from_utf8(printed).unwrap();
    Called { printed: printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), result }
}

fn secret(word: &str, inner: Option<Json>) -> Json {
    let mut secret = json!({"@type": "type.googleapis.com/demo.v1.Secret", "word": word});
    if let Some(inner) = inner {
        secret["inner"] = inner;
    }
    secret
}

/// A message of the tests' types, encoded.
fn encoded(name: &str, json: &Json) -> Bytes {
    let descriptor = demo::everything().get_message_by_name(name).unwrap();
    read(json, &descriptor, &Types::of([demo::everything()])).unwrap().encode_to_vec().into()
}

#[tokio::test]
async fn types_that_only_the_targets_reflection_knows_are_looked_up_for_requests_and_answers() {
    let nested = secret(
        "outer",
        Some(secret("inner", Some(json!({"@type": "type.googleapis.com/demo.v1.Color2", "value": "AP8="})))),
    );
    let request = json!({"any": nested, "all": [secret("a", None), {}, {"@type": "x/google.protobuf.Duration", "value": "1s"}]});
    for codec in [None, Some(Codec::Protobuf), Some(Codec::MessagePack)] {
        for method in ["Keep", "Pass"] {
            let called = call(method, &request.to_string(), codec, odd(Ok)).await;
            called.result.unwrap();
            assert_eq!(called.printed, std::slice::from_ref(&request), "{method} {codec:?}");
        }
    }
}

#[test]
fn a_line_of_stdin_is_read_once_its_types_are_known() {
    let (types, mut questions) = Types::asking([demo::pool()]);
    let odds = demo::message("Odds");
    let form = Form::Described { input: odds.clone(), output: odds, types: Arc::new(types) };
    let answering = std::thread::spawn(move || {
        while let Some((name, answer)) = questions.blocking_recv() {
            let _ = answer.send(demo::everything().get_message_by_name(&name));
        }
    });
    let (sender, mut source) = mpsc::channel(9);
    let lines = format!(
        "{{\"i32\": 1}} {{\"any\":\n {}}}\n{{\"any\": {{\"@type\": \"x/no.Such\"}}}}\n",
        secret("a", None)
    );
    requests::read_lines(lines.as_bytes(), form, &sender);
    drop(sender);
    assert!(source.try_recv().unwrap().is_ok());
    assert!(source.try_recv().unwrap().is_ok());
    let bad = source.try_recv().unwrap().unwrap_err().to_string();
    assert!(bad.contains("line 3") && bad.contains("unknown type no.Such"), "{bad}");
    answering.join().unwrap();
}

#[tokio::test]
async fn what_has_no_json_is_base64_and_the_stream_goes_on() {
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let too_late = prost_types::Timestamp { seconds: 253_402_300_800, nanos: 0 };
    let too_long = prost_types::Duration { seconds: 1, nanos: -1 };
    let nan = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(f64::NAN)) };
    let mask = prost_types::FieldMask { paths: vec!["fooBar".to_owned()] };
    let any = prost_types::Any { type_url: "x/no.Such".to_owned(), value: vec![0, 0xff] };
    let broken = prost_types::Any { type_url: "x/demo.v1.Item".to_owned(), value: vec![0xff] };
    let mut odds = DynamicMessage::new(demo::message("Odds"));
    for (field, message) in [
        ("at", too_late.encode_to_vec()),
        ("took", too_long.encode_to_vec()),
        ("value", nan.encode_to_vec()),
        ("mask", mask.encode_to_vec()),
        ("any", any.encode_to_vec()),
    ] {
        let field = odds.descriptor_field(field);
        let message = DynamicMessage::decode(field.kind().as_message().unwrap().clone(), &*message).unwrap();
        odds.set_field(&field, prost_reflect::Value::Message(message));
    }
    let odds = Bytes::from(odds.encode_to_vec());
    let listed = encoded("demo.v1.Odds", &json!({"value": {"a": [1.5, null]}}));
    let broken = {
        let mut odds = DynamicMessage::new(demo::message("Odds"));
        let field = odds.descriptor_field("any");
        let kind = field.kind().as_message().unwrap().clone();
        let message = DynamicMessage::decode(kind, &*broken.encode_to_vec()).unwrap();
        odds.set_field(&field, prost_reflect::Value::Message(message));
        Bytes::from(odds.encode_to_vec())
    };
    let answers = [odds, broken, Bytes::from_static(&[0xff]), listed];
    let peer = odd(move |_| {
        let answers = answers.clone().map(|bytes| Ok(Payload::encoded(Codec::Protobuf, bytes)));
        Ok(Streaming::new(futures_util::stream::iter(answers)))
    });
    let called = call("Pass", "{}", None, peer).await;
    called.result.unwrap();
    assert_eq!(
        called.printed,
        [
            json!({
                "at": base64(&too_late.encode_to_vec()), "took": base64(&too_long.encode_to_vec()),
                "value": base64(&nan.encode_to_vec()), "mask": base64(&mask.encode_to_vec()),
                "any": {"@type": "x/no.Such", "value": "AP8="},
            }),
            json!({"any": {"@type": "x/demo.v1.Item", "value": "/w=="}}),
            json!("/w=="),
            json!({"value": {"a": [1.5, null]}}),
        ]
    );
}

#[tokio::test]
async fn an_any_that_was_printed_can_be_sent() {
    let request = json!({"any": {"@type": "x/no.Such", "value": "AP8="}});
    let called = call("Keep", &request.to_string(), None, odd(Ok)).await;
    called.result.unwrap();
    assert_eq!(called.printed, [request]);
}

#[tokio::test]
async fn anys_within_one_another_without_end_are_cut_off_and_lose_nothing() {
    let any = |value: Vec<u8>| prost_types::Any { type_url: "x/google.protobuf.Any".to_owned(), value };
    let deep = (0..50_000).fold(Vec::new(), |within, _| any(within).encode_to_vec());
    let mut odds = vec![0x0a];
    prost::encoding::encode_varint(deep.len() as u64, &mut odds);
    odds.extend(deep);
    let peer = odd(move |_| Ok(Streaming::once(Payload::encoded(Codec::Protobuf, odds.clone().into()))));
    let called = call("Keep", "{}", None, peer).await;
    called.result.unwrap();
    assert_eq!(called.printed.len(), 1);
}

#[tokio::test]
async fn details_of_a_failure_are_decoded_by_the_targets_reflection_too() {
    let details = {
        use crate::cli::call::details::standard;
        let status = standard().get_message_by_name("google.rpc.Status").unwrap();
        let json = json!({"code": 9, "message": "why", "details": [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}, secret("told", None),
        ]});
        read(&json, &status, &Types::of([standard(), demo::everything()])).unwrap().encode_to_vec()
    };
    for method in ["Keep", "Pass"] {
        let details = details.clone();
        let peer = odd(move |_| Err(Status::failed_precondition("why").with_details(details.clone())));
        let Err(Failure::Detailed(status, lines, notes)) = call(method, "{}", None, peer).await.result else {
            panic!("no details")
        };
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(
            lines,
            "detail: {\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"2s\"}\n\
             detail: {\"@type\":\"type.googleapis.com/demo.v1.Secret\",\"word\":\"told\"}\n"
        );
    }
}

/// The field of a message by its name.
trait Fields {
    fn descriptor_field(&self, name: &str) -> prost_reflect::FieldDescriptor;
}

impl Fields for DynamicMessage {
    fn descriptor_field(&self, name: &str) -> prost_reflect::FieldDescriptor {
        prost_reflect::ReflectMessage::descriptor(self).get_field_by_name(name).unwrap()
    }
}
