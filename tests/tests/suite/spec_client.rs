//! A client that was written from `proto/WIRE.md` alone: plain iroh, prost and rmp-serde, and nothing of ours
//! but the page. Numbers in the comments are its sections.

mod frames;

use frames::{Answer, Field, Frame, call, field, frame, read};
use iroh::{
    EndpointAddr, TransportAddr,
    endpoint::{Connection, ConnectionError, ReadError, RecvStream, SendStream},
};
use polywire_tests::{
    endpoint,
    node::Node,
    patience::{eventually, within},
};
use prost::Message;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const CONVERSATION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Ask {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`; 1 is SERVING.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Told {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug)]
enum Codec {
    Protobuf = 0x00,
    MessagePack = 0x01,
}

impl Codec {
    fn encode(self, message: &(impl Message + Serialize)) -> Vec<u8> {
        match self {
            Self::Protobuf => message.encode_to_vec(),
            // 8: maps of field names.
            Self::MessagePack => rmp_serde::to_vec_named(message).unwrap(),
        }
    }

    fn decode<M: Message + Default + for<'a> Deserialize<'a>>(self, bytes: &[u8]) -> M {
        match self {
            Self::Protobuf => M::decode(bytes).unwrap(),
            Self::MessagePack => rmp_serde::from_slice(bytes).unwrap(),
        }
    }
}

/// Connects with this ALPN to the node, by its target as 11 gives it.
pub(crate) async fn connect(node: &Node, alpn: &str) -> (Connection, iroh::Endpoint) {
    let (id, query) = node.iroh().strip_prefix("iroh://").unwrap().split_once('?').unwrap();
    let addresses = query.split('&').filter_map(|part| part.strip_prefix("addr="));
    let addresses = addresses.map(|address| TransportAddr::Ip(address.parse().unwrap()));
    let address = EndpointAddr::from_parts(id.parse().unwrap(), addresses);
    let endpoint = endpoint::plain().await;
    (within(endpoint.connect(address, alpn.as_bytes())).await.unwrap(), endpoint)
}

/// Opens a stream and writes these bytes; FIN follows where it is the whole direction.
async fn open(connection: &Connection, bytes: &[u8], whole: bool) -> (SendStream, RecvStream) {
    let (mut send, recv) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    if whole {
        send.finish().unwrap();
    }
    (send, recv)
}

/// The answer to a whole caller's direction.
async fn exchange(connection: &Connection, bytes: &[u8]) -> Answer {
    let (_send, mut recv) = open(connection, bytes, true).await;
    read(&within(recv.read_to_end(1 << 20)).await.unwrap())
}

#[tokio::test]
async fn a_unary_call_is_answered_in_the_codec_it_was_made_in() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    for codec in [Codec::Protobuf, Codec::MessagePack] {
        for service in ["", "grpc.health.v1.Health"] {
            let message = codec.encode(&Ask { service: service.to_owned() });
            for unary in [true, false] {
                let answer = exchange(&connection, &call(CHECK, codec as u8, unary, &[], &message)).await;
                assert_eq!((answer.code, answer.messages.len()), (0, 1), "{answer:?}");
                assert_eq!(codec.decode::<Told>(&answer.messages[0]), Told { status: 1 });
            }
        }
    }
}

#[tokio::test]
async fn a_failure_tells_its_code_and_message() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    let message = Ask { service: "nobody".to_owned() }.encode_to_vec();
    let answer = exchange(&connection, &call(CHECK, 0x00, true, &[], &message)).await;
    assert_eq!((answer.code, answer.messages.len()), (5, 0), "{answer:?}");
    assert!(answer.message.contains("nobody"), "{answer:?}");
    let answer = exchange(&connection, &call("/nobody.v1.Nobody/Get", 0x00, true, &[], &message)).await;
    assert_eq!(answer.code, 12, "{answer:?}");
    // 8: an unknown codec. 3.3: a frame that must be understood.
    assert_eq!(exchange(&connection, &call(CHECK, 0x6e, true, &[], &message)).await.code, 12);
    let whole = call(CHECK, 0x00, false, &[], &message);
    let (start, end) = whole.split_at(whole.len() - 2);
    assert_eq!(exchange(&connection, &[start, &frame(0x1f, &[]), end].concat()).await.code, 12);
}

#[tokio::test]
async fn a_stream_of_answers_is_cancelled_by_stopping_it() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    let message = rmp_serde::to_vec_named(&Ask { service: String::new() }).unwrap();
    let (_send, mut recv) = open(&connection, &call(WATCH, 0x01, false, &[], &message), true).await;
    let mut bytes = Vec::new();
    let first = loop {
        let mut chunk = [0; 256];
        let read = within(recv.read(&mut chunk)).await.unwrap().expect("a watch does not end");
        bytes.extend_from_slice(&chunk[..read]);
        let message = frames::frames(&bytes).into_iter().find(|frame: &Frame| frame.kind == 0x02);
        if let Some(message) = message {
            break rmp_serde::from_slice::<Told>(&message.payload).unwrap();
        }
    };
    assert_eq!(first, Told { status: 1 });
    let in_flight = async || {
        let page = node.get("/metrics").await.body;
        let of_watch =
            |line: &&str| line.starts_with("polywire_server_calls_in_flight{") && line.contains("\"Watch\"");
        page.lines().find(of_watch).and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value.to_owned())
    };
    assert_eq!(in_flight().await.as_deref(), Some("1"));
    // 10: that is what counts.
    recv.stop(0x01_u32.into()).unwrap();
    eventually("the handler is dropped", async || (in_flight().await? == "0").then_some(())).await;
}

#[tokio::test]
async fn a_timeout_is_kept_by_the_responder() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    // 250,000 microseconds, as 14.3 has them.
    let timeout = field(0x82, &[0x80, 0x03, 0xd0, 0x90]);
    let answer = exchange(&connection, &call(WATCH, 0x00, false, &[timeout], &[])).await;
    assert_eq!(answer.code, 4, "{answer:?}");
    assert_eq!(answer.messages.len(), 1);
}

#[tokio::test]
async fn torn_writes_other_length_forms_and_things_to_skip_change_nothing() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    let whole = call(CHECK, 0x00, true, &[field(0x9e, &[1, 2])], &[]);
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    for byte in &whole {
        send.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    send.finish().unwrap();
    let answer = read(&within(recv.read_to_end(1 << 20)).await.unwrap());
    assert_eq!((answer.code, answer.messages.len()), (0, 1));
    // A frame to skip before the head, an end in the 2-byte form.
    let start = [&[0x01][..], &frame(0x9f, b"skip me"), &whole[1..whole.len() - 2]].concat();
    let answer = exchange(&connection, &[start.as_slice(), &[0x03, 0x40, 0x00]].concat()).await;
    assert_eq!((answer.code, answer.messages.len()), (0, 1));
}

#[tokio::test]
async fn metadata_are_taken_and_malformed_ones_are_not() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    let entry = |key: &str, value: &[u8]| -> Field {
        field(0x03, &[&[u8::try_from(key.len()).unwrap()], key.as_bytes(), value].concat())
    };
    let good = [entry("tenant", b"blue"), entry("trace-bin", &[0xff, 0x00])];
    assert_eq!(exchange(&connection, &call(CHECK, 0x00, true, &good, &[])).await.code, 0);
    for bad in [entry("Tenant", b"blue"), entry("grpc-timeout", b"1S"), entry("tenant", &[0xff])] {
        assert_eq!(exchange(&connection, &call(CHECK, 0x00, true, &[bad], &[])).await.code, 13);
    }
}

#[tokio::test]
async fn a_direction_without_its_end_is_no_call() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    let whole = call(CHECK, 0x00, true, &[], &[]);
    let answer = exchange(&connection, &whole[..whole.len() - 2]).await;
    assert_eq!((answer.code, answer.messages.len()), (13, 0));
}

#[tokio::test]
async fn the_question_is_answered_by_every_name_and_a_services_name_is_a_boundary() {
    let node = Node::start(&["--transport.iroh.alpn_protocols=x/health/1"]).await;
    let (question, _endpoint) = connect(&node, "polywire/alpns").await;
    match within(question.closed()).await {
        ConnectionError::ApplicationClosed(close) => {
            assert_eq!(close.error_code.into_inner(), 0x12);
            assert_eq!(std::str::from_utf8(&close.reason).unwrap(), "polywire/1 x/health/1");
        }
        other => panic!("{other}"),
    }
    let (bound, _endpoint) = connect(&node, "x/health/1").await;
    assert_eq!(exchange(&bound, &call(CHECK, 0x00, true, &[], &[])).await.code, 0);
    let other = call("/polywire.directory.v1.Directory/List", 0x00, true, &[], &[]);
    assert_eq!(exchange(&bound, &other).await.code, 7);
}

#[tokio::test]
async fn a_drain_refuses_new_streams_finishes_old_ones_and_says_goodbye() {
    let node = Node::start(&[]).await;
    let (connection, _endpoint) = connect(&node, "polywire/1").await;
    let begun = call(CONVERSATION, 0x00, false, &[], &[]);
    // A head alone: the call is in flight. Its answer's head says that it has been accepted.
    let head = &begun[..begun.len() - 7];
    let (mut send, mut recv) = open(&connection, head, false).await;
    let mut answer = vec![0; 2];
    within(recv.read_exact(&mut answer)).await.unwrap();
    node.signal(Signal::TERM);

    let refused = eventually("new streams are refused", async || {
        let (_send, mut recv) = open(&connection, &call(CHECK, 0x00, true, &[], &[]), false).await;
        match within(recv.read_to_end(1 << 20)).await {
            Err(iroh::endpoint::ReadToEndError::Read(ReadError::Reset(code))) => Some(code.into_inner()),
            _ => None,
        }
    });
    assert_eq!(refused.await, 0x03);

    send.write_all(&[0x03, 0x00]).await.unwrap();
    send.finish().unwrap();
    answer.extend(within(recv.read_to_end(1 << 20)).await.unwrap());
    assert_eq!(read(&answer).code, 0);
    match within(connection.closed()).await {
        ConnectionError::ApplicationClosed(close) => assert_eq!(close.error_code.into_inner(), 0x10),
        other => panic!("{other}"),
    }
    assert_eq!(node.ended().await.code, Some(0));
}
