use polywire::{Context, Server, Status, TraceContext, config::Loader};
use polywire_tests::{
    inventory::{GetRequest, Item},
    node::Node,
};

use super::{FOREIGN, collector::Collector, end, gateway};
use crate::node::connect;

/// Says where in a trace it was called, or what another service says of that.
#[polywire::service(package = "trace.v1")]
trait Witness {
    async fn get(&self, cx: &Context, request: GetRequest) -> Result<Item, Status>;
}

struct Place {
    next: Option<WitnessClient>,
}

impl Witness for Place {
    async fn get(&self, cx: &Context, request: GetRequest) -> Result<Item, Status> {
        if let Some(next) = &self.next {
            return next.get(request).context(cx).await;
        }
        let trace = cx.trace().map(|trace| format!("{trace} {}", trace.state()));
        Ok(Item::named(trace.unwrap_or_default()))
    }
}

/// A node with a witness: its targets over gRPC and over Iroh, and its data.
async fn witness(next: Option<&str>) -> (String, String, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let loaded = Loader::new()
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("http.enabled", "false")
        .flag("node.data_dir", data.path().to_str().unwrap())
        .load()
        .unwrap();
    let next = match next {
        Some(next) => Some(WitnessClient::new(connect(next).await)),
        None => None,
    };
    let builder = polywire::Node::builder().service(Server::<WitnessDefinition, _>::new(Place { next }));
    let node = builder.config(loaded.config).bind().await.unwrap();
    let target = |transport| node.targets().get(transport).unwrap().to_owned();
    let targets = (target("grpc"), target("iroh"), data);
    tokio::spawn(node.serve(std::future::pending()));
    targets
}

const STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";

/// What the witness at the target sees of a call that is made at this place in a trace.
async fn seen(target: &str, parent: &str) -> String {
    let client = WitnessClient::new(connect(target).await);
    let trace: TraceContext = parent.parse().unwrap();
    let cx = Context::new().with_trace(trace.with_state(STATE)).with_codec(polywire::Codec::Protobuf);
    client.get(GetRequest::default()).context(&cx).await.unwrap().name
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_records_the_trace_goes_on_as_it_came_through_handlers_and_gateways() {
    let (last, _, _data) = witness(None).await;
    let (_, over_iroh, _more_data) = witness(Some(&last)).await;
    let gateway = Node::gateway(["--listen", "grpc://127.0.0.1:0", "--codec", "protobuf", &over_iroh]).await;
    assert_eq!(seen(gateway.grpc(), FOREIGN).await, format!("{FOREIGN} {STATE}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_trace_has_none_where_nobody_records() {
    let (last, _, _data) = witness(None).await;
    let client = WitnessClient::new(connect(&last).await);
    assert_eq!(client.get(GetRequest::default()).await.unwrap().name, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_could_record_a_trace_passes_on_that_nobody_does() {
    let collector = Collector::start().await;
    let (last, _, _data) = witness(None).await;
    let gateway = gateway("before", &collector, &["--listen", "iroh", &last]).await;
    let unsampled = FOREIGN.replace("b7-01", "b7-00");
    let seen = seen(gateway.iroh(), &unsampled).await;
    end([gateway]).await;
    let (parent, state) = seen.split_once(' ').unwrap();
    assert_eq!(state, STATE);
    assert_eq!(parent[..36], unsampled[..36]);
    assert!(parent.ends_with("-00"), "{parent}");
    assert_ne!(parent, unsampled, "it is the gateway's own span that calls");
    assert!(collector.spans().is_empty());
}
