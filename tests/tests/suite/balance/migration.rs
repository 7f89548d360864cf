//! Calls are moved from gRPC to Iroh step by step, as `polywire-node migration status` says of each.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use polywire::{Context, Status, config::Loader, policy::Policy};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock},
    node::{Finished, Node, run},
    patience::{eventually, within},
    shop::Shop,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::node::connect;

/// What a shop does with the calls that come over Iroh.
#[derive(Clone, Copy, PartialEq)]
enum OverIroh {
    Well,
    /// One in four fails.
    Fails,
    /// Each takes half a second.
    Slow,
}

/// A shop that counts the calls that come over Iroh.
async fn shop(over_iroh: OverIroh) -> (Shop, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    let stock = Stock::new().on_get(move |arrival, request: GetRequest| {
        let iroh = arrival.caller.is_some_and(|caller| caller.transport == "iroh");
        let number = if iroh { counter.fetch_add(1, Ordering::Relaxed) } else { 0 };
        async move {
            if iroh && over_iroh == OverIroh::Slow {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            match iroh && over_iroh == OverIroh::Fails && number % 4 == 3 {
                true => Err(Status::internal("this shop cannot do it over Iroh")),
                false => Ok(Item::named(request.name)),
            }
        }
    });
    (Shop::open(stock).await, count)
}

/// A gateway to a shop, whose file says which share of the calls prefers Iroh.
struct Shift {
    shop: Shop,
    over_iroh: Arc<AtomicU64>,
    gateway: Node,
    client: InventoryClient,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl Shift {
    async fn begin(over_iroh: OverIroh) -> Self {
        let (shop, over_iroh) = shop(over_iroh).await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gateway.toml");
        write(&file, 0.0);
        let config = file.display().to_string();
        let arguments = ["--listen", "grpc://127.0.0.1:0", &shop.iroh, &shop.grpc, "--config", &config];
        let gateway = Node::gateway(arguments).await;
        let client = InventoryClient::new(connect(gateway.grpc()).await);
        Self { shop, over_iroh, gateway, client, file, _directory: directory }
    }

    /// Makes so many calls, some at a time; how many of them came over Iroh.
    async fn call(&self, calls: u64) -> u64 {
        let before = self.over_iroh.load(Ordering::Relaxed);
        for _ in 0..calls / 20 {
            let calls = (0..20).map(|_| self.client.get(GetRequest::named("bolt")).into_future());
            within(join_all(calls)).await;
        }
        self.over_iroh.load(Ordering::Relaxed) - before
    }

    /// Says this share in the file, and calls until it holds.
    async fn to(&self, share: f64) {
        write(&self.file, share);
        self.gateway.signal(Signal::HUP);
        eventually("the share holds", async || {
            let found = self.call(100).await as f64 / 100.0;
            ((found - share).abs() <= 0.03).then_some(())
        })
        .await;
    }

    async fn status(&self, more: &[&str]) -> Told {
        status(&[&["--service", "inventory", &self.shop.grpc], more].concat()).await
    }
}

fn write(file: &Path, share: f64) {
    let new = file.with_extension("new");
    fs::write(&new, format!("[transport.strategy.shift]\ninventory = {share}\n")).unwrap();
    fs::rename(new, file).unwrap();
}

/// What the command said.
struct Told {
    code: i32,
    reasons: String,
    json: Value,
}

async fn status(arguments: &[&str]) -> Told {
    let all = [&["migration", "status", "--json"], arguments].concat();
    let Finished { code, stdout, stderr } = run(Path::new("/"), &all).await;
    let json: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{code}: {stdout}{stderr}"));
    let reasons = json["services"][0]["reasons"].as_array().into_iter().flatten();
    let reasons: Vec<_> = reasons.filter_map(Value::as_str).collect();
    assert_eq!(json["safe"], Value::Bool(code == 0), "{json}");
    Told { code, reasons: reasons.join("; "), json }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_well_is_moved_step_by_step() {
    let shift = Shift::begin(OverIroh::Well).await;
    shift.call(100).await;
    let told = shift.status(&[]).await;
    assert_eq!(told.code, 3, "{}", told.json);
    assert!(told.reasons.contains("`[transport.strategy.shift] inventory = 0.05`"), "{}", told.reasons);
    // How fast it is, this machine decides.
    let rules = ["--min-calls=20", "--max-p99-ratio=100"];
    for share in [0.05, 0.25, 1.0] {
        shift.to(share).await;
        shift.call(400).await;
        let told = shift.status(&rules).await;
        assert_eq!(told.code, 0, "at {share}: {}", told.json);
        assert!(told.reasons.contains("calls over iroh fail, and 0.00 % of"), "{}", told.reasons);
    }
    let told = shift.status(&["--min-calls=1000000"]).await;
    assert_eq!(told.code, 3);
    assert!(told.reasons.contains("at least 1000000 wanted"), "{}", told.reasons);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_over_the_new_transport_is_moved_back() {
    let shift = Shift::begin(OverIroh::Fails).await;
    shift.to(0.25).await;
    shift.call(400).await;
    let told = shift.status(&["--max-p99-ratio=100"]).await;
    assert_eq!(told.code, 3, "{}", told.json);
    assert!(told.reasons.contains("of the calls over iroh fail, mostly with INTERNAL"), "{}", told.reasons);
    shift.to(0.0).await;
    assert_eq!(shift.call(100).await, 0, "all are back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_slow_over_the_new_transport_is_not_safe_to_move() {
    let shift = Shift::begin(OverIroh::Slow).await;
    shift.to(0.25).await;
    shift.call(400).await;
    let told = shift.status(&["--min-calls=50"]).await;
    assert_eq!(told.code, 3, "{}", told.json);
    assert!(told.reasons.starts_with("the p99 is "), "{}", told.reasons);
    let p50 = told.json["services"][0]["transports"].as_array().unwrap().iter();
    let p50: Vec<_> = p50
        .map(|over| (over["transport"].as_str().unwrap(), over["p50_seconds"].as_f64().unwrap()))
        .collect();
    assert!(matches!(p50[..], [("grpc", fast), ("iroh", slow)] if fast < 0.25 && slow >= 0.25), "{p50:?}");
}

/// So many calls straight to the shop, over each transport.
async fn visit(shop: &Shop, calls: usize) {
    for target in [&shop.grpc, &shop.iroh] {
        let client = InventoryClient::new(connect(target).await);
        for _ in 0..calls {
            client.get(GetRequest::named("bolt")).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_several_nodes_are_added_up_and_one_that_is_not_reached_is_not_safe() {
    let ((one, _), (two, _)) = (shop(OverIroh::Well).await, shop(OverIroh::Well).await);
    visit(&one, 60).await;
    visit(&two, 60).await;
    let lenient = "--max-p99-ratio=100";
    for alone in [&one.grpc, &two.iroh] {
        let told = status(&[lenient, alone]).await;
        assert_eq!(told.code, 3, "{}", told.json);
        assert!(told.reasons.starts_with("60 calls over iroh in the last "), "{}", told.reasons);
    }
    let told = status(&[lenient, &one.grpc, &two.iroh]).await;
    assert_eq!(told.code, 0, "{}", told.json);
    assert_eq!(told.json["services"].as_array().unwrap().len(), 1, "those of every node are left out");

    let gone = format!("grpc://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let told = status(&[lenient, &one.grpc, &two.iroh, &gone]).await;
    assert_eq!(told.code, 3, "{}", told.json);
    assert_eq!(told.json["unreached"][0]["target"], Value::String(gone.clone()), "{}", told.json);
    let nobody = run(Path::new("/"), &["migration", "status", &gone]).await;
    assert_eq!((nobody.code, nobody.stdout.as_str()), (64 + 14, ""), "{}", nobody.stderr);

    let table = run(Path::new("/"), &["migration", "status", lenient, "--min-calls=50", &one.grpc]).await;
    assert_eq!(table.code, 0, "{}", table.stderr);
    for expected in
        ["SERVICE", "inventory.v1.Inventory  iroh", "safe to raise the share of iroh: 0.00 % of 60 calls"]
    {
        assert!(table.stdout.contains(expected), "{expected} is not in {}", table.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_judged_also_where_they_are_made() {
    let (shop, _) = shop(OverIroh::Fails).await;
    let data = tempfile::tempdir().unwrap();
    let loaded = Loader::new()
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("http.enabled", "false")
        .flag("node.data_dir", data.path().to_str().unwrap())
        .load()
        .unwrap();
    let node = polywire_services::node().config(loaded.config).bind().await.unwrap();
    let ways = node.channel().targets([shop.iroh.as_str(), shop.grpc.as_str()]);
    let client = InventoryClient::new(ways.policy(Policy::default().share(0.5)).connect().await.unwrap());
    let target = node.targets().get("grpc").unwrap().to_owned();
    tokio::spawn(node.serve(std::future::pending()));
    for _ in 0..400 {
        // Some fail.
        let _ = client.get(GetRequest::named("bolt")).context(&Context::new()).await;
    }
    let told = status(&["--side=client", "--max-p99-ratio=100", &target]).await;
    assert_eq!(told.code, 3, "{}", told.json);
    assert_eq!(told.json["services"][0]["service"], "inventory.v1.Inventory", "{}", told.json);
    assert!(told.reasons.contains("of the calls over iroh fail, mostly with INTERNAL"), "{}", told.reasons);
    let told = status(&["--service=inventory", &target]).await;
    assert!(
        told.code == 3 && told.reasons.starts_with("0 calls over iroh"),
        "it answers none: {}",
        told.json
    );
}
