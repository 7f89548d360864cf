//! A node in this process, for behaviour that no built-in service has.

use polywire::config::Loader;

use crate::inventory::Stock;

/// A node of the built-in services and a stock, of whose messages it has no schema.
#[derive(Debug)]
pub struct Shop {
    /// Its target over gRPC.
    pub grpc: String,
    /// Its target over Iroh.
    pub iroh: String,
    /// The address of the HTTP side.
    pub http: String,
    _data: tempfile::TempDir,
}

impl Shop {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn open(stock: Stock) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let loaded = Loader::new()
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("http.bind_address", "127.0.0.1:0")
            .flag("node.data_dir", data.path().to_str().expect("a path of text"))
            .load()
            .expect("a configuration");
        let node = polywire_services::node().with(polywire_services::cluster());
        let node =
            node.service(stock.server()).config(loaded.config).bind().await.expect("free ports on loopback");
        let targets = node.targets().clone();
        tokio::spawn(node.serve(std::future::pending()));
        let target = |transport| targets.get(transport).expect("a transport that is on").to_owned();
        let http = targets.http.as_deref().expect("an HTTP side").trim_start_matches("http://").to_owned();
        Self { grpc: target("grpc"), iroh: target("iroh"), http, _data: data }
    }
}
