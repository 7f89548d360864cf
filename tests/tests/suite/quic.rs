//! What plain QUIC promises beyond what every transport does.

mod early;
mod loss;
mod one_way;
mod restart;
mod trust;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use polywire::{
    ConnectOptions, Drain, Service, ServiceExt as _, Target,
    quic::{Config, Quic},
    transport::{BindContext, Bound, ConnectionGauge, Serving, Transport},
};
use polywire_tests::inventory::{InventoryClient, Stock};
use tokio::task::JoinHandle;

/// A client of the inventory at this target.
async fn client(target: &str, options: &ConnectOptions) -> InventoryClient {
    let target: Target = target.parse().unwrap();
    InventoryClient::new(target.connect(options).await.unwrap())
}

/// A stock that is served over QUIC. Dropped, it ends at once.
struct Server {
    target: String,
    open: Arc<Open>,
    serving: JoinHandle<()>,
}

/// How many connections are open.
#[derive(Default)]
struct Open(AtomicUsize);

impl Server {
    async fn start(stock: Stock) -> Self {
        let config = Config { bind_address: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
        Self::start_with(stock.server(), config).await
    }

    async fn start_with(service: impl Service, config: Config) -> Self {
        let service = service.into_channel();
        let node = BindContext::new([7; 32], service.clone());
        let bound = Transport::bind(&Quic::default(), config, node).await.unwrap();
        let (target, open) = (bound.target(), Arc::new(Open::default()));
        let serving = Serving::new(service, Drain::new()).connections(open.clone());
        Self { target, open, serving: tokio::spawn(bound.serve(serving)) }
    }

    fn connections(&self) -> usize {
        self.open.0.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl ConnectionGauge for Open {
    fn opened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
