use std::time::{Duration, Instant};

use polywire::{Body, Call, Code, Codec, Method, Node, Streaming, Upstream, config::Config};
use polywire_tests::{
    inventory::Item,
    node::Node as Process,
    patience::{eventually, within},
};

use crate::{metrics::samples, node::connect};

const UNARY: Method = Method::unary("/nowhere.v1.Nothing/Do");
const STREAM: Method = Method::bidi_streaming("/nowhere.v1.Nothing/Stream");

/// A call of either shape fails at once, and says which gateways it came by.
async fn fails_at_once(target: &str, names: &[&str]) {
    let channel = connect(target).await;
    let begun = Instant::now();
    let unary = Call::<Item>::new(&channel, &UNARY, Body::one(Item::named("a")));
    let (_open, requests) = Streaming::<Item>::channel(1);
    let stream = Call::<Streaming<Item>>::new(&channel, &STREAM, Body::many(requests));
    let unary = within(unary.codec(Codec::Protobuf).into_future()).await.unwrap_err();
    let stream = match within(stream.codec(Codec::Protobuf).into_future()).await {
        Ok(mut answers) => within(answers.message()).await.unwrap_err(),
        Err(status) => status,
    };
    for status in [unary, stream] {
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().starts_with("the call came by 8 gateways, "), "{status}");
        for name in names {
            assert!(status.message().contains(&name[..10]), "{status}");
        }
    }
    // Nothing but a hang takes longer, also where the machine is busy.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

async fn holds_nothing(node: &Process) {
    let idle = async || {
        let samples = samples(&node.get("/metrics").await.body);
        let held = samples.iter().filter(|(series, _)| {
            series.contains("_calls_in_flight{") && series.contains("service=\"unknown\"")
        });
        held.map(|(_, value)| value).all(|value| *value == 0.0).then_some(())
    };
    eventually("no call is in flight", idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_gateways_pass_round_and_round_fails_at_once_and_nothing_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let socket = |name: &str| format!("unix://{}", directory.path().join(name).display());
    let (a, b) = (socket("a"), socket("b"));
    let first = Process::gateway(["--listen", &a, &b]).await;
    let second = Process::gateway(["--listen", &b, &a]).await;
    fails_at_once(&a, &[&first.targets.node_id, &second.targets.node_id]).await;
    holds_nothing(&first).await;
    holds_nothing(&second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_upstreams_are_one_another_refuse_what_none_of_them_serves() {
    let mut nodes = Vec::new();
    let names = ["loops-one", "loops-two", "loops-three"];
    for (place, name) in names.iter().enumerate() {
        let data = tempfile::tempdir().unwrap();
        let next = format!("memory://{}", names[(place + 1) % names.len()]);
        let config = format!(
            "transport.mode = \"none\"\nhttp.enabled = false\nnode.data_dir = {:?}\n[transport.memory]\nenabled = true\nname = {name:?}",
            data.path().join("data")
        );
        let config: Config = polywire::config::Loader::new().text("the test", &config).load().unwrap().config;
        let node = Node::builder().config(config).upstream(Upstream::new(next.parse().unwrap()));
        let node = node.bind().await.unwrap();
        let id = node.targets().node_id.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(node.serve(async {
            let _ = stopped.await;
        }));
        nodes.push((data, id, stop, serving));
    }
    let ids: Vec<_> = nodes.iter().map(|(_, id, ..)| id.as_str()).collect();
    fails_at_once(&format!("memory://{}", names[0]), &ids).await;
    for (_, _, stop, serving) in nodes {
        let _ = stop.send(());
        within(serving).await.unwrap().unwrap();
    }
}
