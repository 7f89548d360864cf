//! Streams are counted once, when they end, with the status that they end with.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use polywire::{
    Code, Codec, Metadata, Payload, Status, Streaming,
    wire::{RequestCompression, put_end, put_message, put_request_head},
};
use polywire_tests::{
    http2::Http2,
    inventory::{InventoryClient, Item, Stock, WatchRequest},
    node::{Node, get},
    patience::{eventually, within},
    shop::Shop,
};
use tokio::sync::Semaphore;

use super::{samples, value};
use crate::{
    iroh_transport::raw,
    node::{ask, connect},
    spec_client,
};

/// How a stream ends, as its request says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Well,
    Failed,
    /// The reader is gone.
    Dropped,
    /// Before it has begun.
    Refused,
}

const ALL: [Ending; 4] = [Ending::Well, Ending::Failed, Ending::Dropped, Ending::Refused];

impl Ending {
    /// What it is counted as.
    fn code(self) -> &'static str {
        match self {
            Self::Well => "OK",
            Self::Failed => "ABORTED",
            Self::Dropped => "CANCELLED",
            Self::Refused => "INVALID_ARGUMENT",
        }
    }
}

/// Two items at once, and then what the request asks for, once the gate lets it.
fn stock(gate: Arc<Semaphore>) -> Stock {
    Stock::new().on_watch(move |_, request: WatchRequest| {
        let gate = gate.clone();
        async move {
            let ending = ALL[request.count as usize];
            if ending == Ending::Refused {
                return Err(Status::invalid_argument("no such stream"));
            }
            let items = stream::iter([Ok(Item::named("one")), Ok(Item::named("two"))]);
            let last = stream::once(async move {
                gate.acquire().await.unwrap().forget();
                match ending {
                    Ending::Failed => Err(Status::new(Code::Aborted, "as asked")),
                    _ => Ok(Item::named("last")),
                }
            });
            Ok(Streaming::new(items.chain(last)))
        }
    })
}

/// What the node has counted of this method over this transport.
struct Counted {
    in_flight: f64,
    /// Codes that never were are left out.
    by_code: BTreeMap<String, f64>,
    durations: f64,
}

async fn counted(http: &str, transport: &str) -> Counted {
    let page = samples(&get(http, "/metrics", "*/*").await.unwrap().body);
    let labels = [("method", "Watch"), ("transport", transport)];
    let with_code = |code: Code| {
        let labels = [&labels[..], &[("code", code.name())]].concat();
        let label = labels.iter().map(|(key, value)| format!("{key}=\"{value}\""));
        let is_one = |series: &&String| {
            series.starts_with("polywire_server_calls_total{")
                && label.clone().all(|label| series.contains(&label))
        };
        let count = page.keys().find(is_one).map_or(0.0, |series| page[series]);
        (code.name().to_owned(), count)
    };
    Counted {
        in_flight: value(&page, "polywire_server_calls_in_flight", &labels),
        by_code: Code::ALL.into_iter().map(with_code).filter(|(_, count)| *count > 0.0).collect(),
        durations: value(&page, "polywire_server_call_duration_seconds_count", &labels),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_counts_when_it_ends_and_as_what_it_ended() {
    let gate = Arc::new(Semaphore::new(0));
    let shop = Shop::open(stock(gate.clone())).await;
    for (target, transport) in [(&shop.grpc, "grpc"), (&shop.iroh, "iroh")] {
        let client = InventoryClient::new(connect(target).await);
        let mut expected = BTreeMap::new();
        for (number, ending) in (0..).zip(ALL) {
            let place = |when| format!("{when}: {ending:?} over {transport}");
            let call = client.watch(WatchRequest { count: number });
            match (ending, within(call.into_future()).await) {
                (Ending::Refused, answer) => {
                    let status = answer.map(drop).unwrap_err();
                    assert_eq!(status.code(), Code::InvalidArgument);
                }
                (_, answer) => {
                    let mut items = answer.unwrap();
                    for _ in 0..2 {
                        within(items.message()).await.unwrap().unwrap();
                    }
                    let now = counted(&shop.http, transport).await;
                    assert_eq!((now.in_flight, now.by_code), (1.0, expected.clone()), "{}", place("open"));
                    if matches!(ending, Ending::Well | Ending::Failed) {
                        gate.add_permits(1);
                    }
                    if ending != Ending::Dropped {
                        assert_eq!(rest(items).await, code(ending), "{}", place("at its end"));
                    }
                }
            }
            expected.insert(ending.code().to_owned(), 1.0);
            let now = eventually("the stream is over", async || {
                Some(counted(&shop.http, transport).await).filter(|now| now.in_flight == 0.0)
            })
            .await;
            assert_eq!(now.by_code, expected, "{}", place("over"));
            assert_eq!(now.durations, f64::from(number + 1), "{}", place("over"));
        }
    }
}

/// What the caller is told at the end.
async fn rest(mut items: Streaming<Item>) -> Code {
    loop {
        match within(items.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => return Code::Ok,
            Err(status) => return status.code(),
        }
    }
}

fn code(ending: Ending) -> Code {
    Code::ALL.into_iter().find(|code| code.name() == ending.code()).unwrap()
}

/// The clients of this test do not count the time themselves: nothing but the node ends their calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_its_deadline_ends_counts_as_that() {
    let node = Node::start(&[]).await;
    // It would never end of itself.
    let path = "/grpc.health.v1.Health/Watch";
    let client = Http2::connect(node.grpc_address()).await;
    let late = client.call(path, &[("grpc-timeout", "200m")], &ask("")).await;
    assert_eq!(late.grpc_status(), Code::DeadlineExceeded.number(), "{late:?}");

    let (connection, _endpoint) = spec_client::connect(&node, "polywire/1").await;
    let mut call = BytesMut::new();
    let (timeout, compression) = (Some(Duration::from_millis(200)), RequestCompression::default());
    put_request_head(&mut call, path, Codec::Protobuf, false, timeout, compression, &Metadata::new());
    let message = Payload::new(ask(""));
    put_message(&mut call, 1 << 10, |buffer| message.encode(Codec::Protobuf, buffer)).unwrap();
    put_end(&mut call);
    let (_send, recv) = raw::open(&connection, &call, true).await;
    assert_eq!(raw::ending(recv).await, raw::Ending::Status(Code::DeadlineExceeded));

    let http = node.targets.http.as_deref().unwrap().trim_start_matches("http://");
    for transport in ["grpc", "iroh"] {
        let now = eventually("the stream is over", async || {
            Some(counted(http, transport).await).filter(|now| now.in_flight == 0.0)
        })
        .await;
        assert_eq!(now.by_code, BTreeMap::from([("DEADLINE_EXCEEDED".to_owned(), 1.0)]), "{transport}");
    }
}
