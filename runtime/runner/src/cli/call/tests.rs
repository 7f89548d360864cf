mod any;
mod named;

use std::time::Duration;

use super::*;
use crate::cli::{
    demo,
    directory::{self, ListResponse},
};
use polywire_core::{Channel, Code, Payload};

/// A call to the peers, by the schema of the demo, and what it printed.
struct Outcome {
    printed: String,
    result: Result<(), Failure>,
}

struct Asked<'a> {
    method: &'a str,
    json: Option<&'a str>,
    codec: Option<Codec>,
    compiled_in: bool,
}

fn ask<'a>(method: &'a str, json: &'a str) -> Asked<'a> {
    Asked { method, json: Some(json), codec: None, compiled_in: true }
}

impl Asked<'_> {
    async fn of<const N: usize>(self, peers: [Channel; N]) -> Outcome {
        self.over(Client::in_process(peers).await).await
    }

    async fn over(self, client: Client) -> Outcome {
        let builder = crate::Node::builder();
        let builder = if self.compiled_in { builder.descriptors(demo::descriptor_set()) } else { builder };
        let method: MethodName = format!("demo.v1.Demo/{}", self.method).parse().unwrap();
        let mut printed = Vec::new();
        let output = Output::new(&mut printed, false);
        let json = self.json.map(str::to_owned);
        let result =
            make(&client, &Own::node(builder), &method, Metadata::new(), self.codec, json, output).await;
        Outcome { printed: String::from_utf8(printed).unwrap(), result }
    }
}

impl Outcome {
    #[track_caller]
    fn printed(self) -> String {
        self.result.unwrap();
        self.printed
    }

    #[track_caller]
    fn usage(self) -> String {
        match self.result {
            Err(Failure::Usage(message)) => message,
            other => panic!("no bad usage: {other:?}"),
        }
    }

    #[track_caller]
    fn status(self) -> Status {
        match self.result {
            Err(Failure::Status(status)) => status,
            other => panic!("no status: {other:?}"),
        }
    }
}

/// Answers with what it was sent, in the codec that it was asked in.
fn echo() -> Channel {
    demo::peer(|_, messages| Ok(messages))
}

/// Fails calls to the demo so, and has no directory.
fn failing(status: Status) -> Channel {
    demo::peer(move |cx, _| match cx.service() {
        "demo.v1.Demo" => Err(status.clone()),
        _ => Err(Status::unimplemented("").not_processed()),
    })
}

/// An echo that says in its directory what shape the methods have, and of no schema.
fn node(methods: &'static [(&'static str, bool)]) -> Channel {
    demo::peer(move |cx, messages| match cx.path() {
        directory::LIST => {
            let methods = methods.iter().map(|(name, streams)| polywire_core::__runner::directory::Method {
                name: (*name).to_owned(),
                client_streaming: *streams,
                server_streaming: *streams,
                ..Default::default()
            });
            let name = "demo.v1.Demo".to_owned();
            let service = directory::Service { name, methods: methods.collect(), ..Default::default() };
            let services = vec![service];
            Ok(Streaming::once(Payload::new(ListResponse { services, ..Default::default() })))
        }
        path if path.starts_with("/demo.v1.Demo/") => Ok(messages),
        _ => Err(Status::unimplemented("").not_processed()),
    })
}

#[tokio::test]
async fn json_is_protobufs_canonical_mapping_in_either_codec() {
    let json =
        r#"{"name":"x","sizes":["-9223372036854775808"],"color":"COLOR_RED","barterFor":{"picture":"AP8="}}"#;
    for codec in [None, Some(Codec::Protobuf), Some(Codec::MessagePack)] {
        let asked = Asked { codec, ..ask("Get", json) };
        let printed: serde_json::Value = serde_json::from_str(&asked.of([echo()]).await.printed()).unwrap();
        assert_eq!(printed, serde_json::from_str::<serde_json::Value>(json).unwrap());
    }
}

#[tokio::test]
async fn a_unary_call_without_json_sends_an_empty_message() {
    let asked = Asked { json: None, ..ask("Get", "") };
    assert_eq!(asked.of([echo()]).await.printed(), "{}\n");
}

#[tokio::test]
async fn a_stream_without_json_sends_nothing() {
    let asked = Asked { json: None, ..ask("Sync", "") };
    assert_eq!(asked.of([echo()]).await.printed(), "");
}

#[tokio::test]
async fn streams_are_a_line_a_message() {
    let three = r#"{"name":"a"} {"name":"b"} {"name":"c"}"#;
    let lines = "{\"name\":\"a\"}\n{\"name\":\"b\"}\n{\"name\":\"c\"}\n";
    assert_eq!(ask("Sync", three).of([echo()]).await.printed(), lines);
    assert_eq!(ask("Watch", r#"{"name":"a"}"#).of([echo()]).await.printed(), "{\"name\":\"a\"}\n");
    assert_eq!(ask("Import", r#"{"name":"a"}"#).of([echo()]).await.printed(), "{\"name\":\"a\"}\n");
}

#[tokio::test]
async fn a_second_answer_to_a_stream_of_requests_is_an_error() {
    assert_eq!(ask("Import", "{} {}").of([echo()]).await.status().code(), Code::Unimplemented);
}

#[tokio::test]
async fn what_came_before_a_failure_is_printed() {
    let peer = demo::peer(|_, messages| {
        let failure = futures_util::stream::iter([Err(Status::aborted("enough"))]);
        Ok(Streaming::new(futures_util::StreamExt::chain(messages, failure)))
    });
    let outcome = ask("Sync", r#"{"name":"a"}"#).of([peer]).await;
    assert_eq!(outcome.printed, "{\"name\":\"a\"}\n");
    assert_eq!(outcome.status().code(), Code::Aborted);
}

#[tokio::test]
async fn json_that_is_no_request_says_where_and_what_was_expected() {
    let message = ask("Get", r#"{"nmae": "x"}"#).of([echo()]).await.usage();
    assert!(message.starts_with("the JSON argument, line 1, column "), "{message}");
    assert!(message.contains("'nmae'") && message.contains("demo.v1.Item as JSON, with the fields name, "));
}

#[tokio::test]
async fn a_method_that_takes_one_request_refuses_two() {
    for method in ["Get", "Watch"] {
        let message = ask(method, "{} {}").of([echo()]).await.usage();
        assert!(
            message.starts_with(&format!("demo.v1.Demo/{method} takes exactly one request")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn without_a_schema_json_travels_by_field_names() {
    const METHODS: &[(&str, bool)] = &[("Get", false), ("Sync", true)];
    let asked = Asked { compiled_in: false, ..ask("Get", r#"{"any": [1, null]}"#) };
    assert_eq!(asked.of([node(METHODS)]).await.printed(), "{\"any\":[1,null]}\n");
    let asked = Asked { compiled_in: false, ..ask("Sync", "1 2") };
    assert_eq!(asked.of([node(METHODS)]).await.printed(), "1\n2\n");
}

#[tokio::test]
async fn protobuf_without_a_schema_is_refused() {
    let asked = Asked { compiled_in: false, codec: Some(Codec::Protobuf), ..ask("Get", "{}") };
    let status = asked.of([node(&[("Get", false)])]).await.status();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_method_that_the_target_does_not_serve_is_unimplemented() {
    let asked = Asked { compiled_in: false, ..ask("Gte", "{}") };
    let status = asked.of([node(&[("Get", false)])]).await.status();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().ends_with("demo.v1.Demo has Get"), "{status}");
}

#[tokio::test]
async fn a_foreign_server_that_tells_nothing_cannot_be_called() {
    let asked = Asked { compiled_in: false, ..ask("Get", "{}") };
    let outcome = asked.of([failing(Status::internal("never called"))]).await;
    let status = outcome.status();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("unknown messages"), "{status}");
}

#[tokio::test]
async fn a_proxy_that_refuses_reflection_with_any_code_may_have_a_directory() {
    for code in
        [Code::Unavailable, Code::Unknown, Code::Internal, Code::PermissionDenied, Code::DeadlineExceeded]
    {
        let node = node(&[("Get", false)]);
        let proxy = demo::peer(move |cx, messages| match cx.service().starts_with("grpc.reflection.") {
            true => Err(Status::new(code, "no route")),
            false => {
                let path = polywire_core::__runner::Path::Received(cx.path().to_owned().into());
                let call = node.stream(Context::new().to(path, false), messages);
                futures_util::FutureExt::now_or_never(call)
                    .expect("an answer at once")
                    .map(Response::into_message)
            }
        });
        let asked = Asked { compiled_in: false, ..ask("Get", r#"{"any": 1}"#) };
        assert_eq!(asked.of([proxy]).await.printed(), "{\"any\":1}\n", "{code}");
    }
}

#[tokio::test]
async fn a_peer_that_denies_every_lookup_is_called_by_field_names() {
    for code in [Code::PermissionDenied, Code::Unauthenticated] {
        let closed = demo::peer(move |cx, messages| match cx.service() {
            "demo.v1.Demo" => Ok(messages),
            _ => Err(Status::new(code, "access denied").not_processed()),
        });
        let asked = Asked { compiled_in: false, ..ask("Get", r#"{"any": 1}"#) };
        assert_eq!(asked.of([closed]).await.printed(), "{\"any\":1}\n", "{code}");
    }
}

#[tokio::test]
async fn a_service_that_a_foreign_server_does_not_know_is_unimplemented() {
    let foreign = demo::peer(|cx, _| match cx.service() {
        "grpc.reflection.v1.ServerReflection" => Err(Status::not_found("unknown symbol")),
        _ => Err(Status::unimplemented("").not_processed()),
    });
    let asked = Asked { compiled_in: false, ..ask("Get", "{}") };
    assert_eq!(asked.of([foreign]).await.status().code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_unavailable_whatever_is_asked_first() {
    let down = demo::peer(|_, _| Err(Status::unavailable("gone").not_processed()));
    let asked = Asked { compiled_in: false, ..ask("Get", "{}") };
    assert_eq!(asked.of([down]).await.status().code(), Code::Unavailable);
}

#[tokio::test]
async fn the_fallback_answers_what_the_first_target_did_not_process() {
    let refusing = || failing(Status::unimplemented("retired").not_processed());
    for (method, json, lines) in [
        ("Put", r#"{"name":"a"}"#, "{\"name\":\"a\"}\n"),
        ("Watch", r#"{"name":"a"}"#, "{\"name\":\"a\"}\n"),
        ("Sync", r#"{"name":"a"}{"name":"b"}"#, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n"),
    ] {
        assert_eq!(ask(method, json).of([refusing(), echo()]).await.printed(), lines);
    }
}

#[tokio::test]
async fn the_codec_is_each_transports_own_unless_one_is_asked_for() {
    for asked in [None, Some(Codec::MessagePack)] {
        let peer = demo::peer(move |cx, messages| {
            assert_eq!(cx.codec(), asked);
            Ok(messages)
        });
        let call = Asked { codec: asked, ..ask("Get", r#"{"name":"a"}"#) };
        assert_eq!(call.of([peer]).await.printed(), "{\"name\":\"a\"}\n");
    }
}

#[tokio::test]
async fn a_call_that_may_have_been_processed_is_made_again_only_if_it_is_idempotent() {
    let down = || failing(Status::unavailable("lost"));
    assert_eq!(ask("Get", "{}").of([down(), echo()]).await.printed(), "{}\n");
    assert_eq!(ask("Put", "{}").of([down(), echo()]).await.status().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_ends_ends_at_the_deadline() {
    let endless = demo::peer(|_, _| Ok(Streaming::new(futures_util::stream::pending())));
    let client = Client::in_process([endless]).await.within(Duration::from_secs(5));
    assert_eq!(ask("Watch", "{}").over(client).await.status().code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_also_bounds_the_wait_for_the_only_request() {
    let (_kept_open, requests) = Requests::fed();
    let client = Client::in_process([echo()]).await.within(Duration::from_secs(1));
    let schema = Schema { form: Form::Plain, shape: Some(Shape::Unary), idempotent: false };
    let mut printed = Vec::new();
    let call = Making {
        client: &client,
        method: &"demo.v1.Demo/Get".parse().unwrap(),
        metadata: Metadata::new(),
        schema,
        codec: None,
        output: Output::new(&mut printed, false),
    };
    let outcome = call.make(&Arc::new(requests)).await;
    assert!(matches!(outcome, Err(Failure::Status(status)) if status.code() == Code::DeadlineExceeded));
}
