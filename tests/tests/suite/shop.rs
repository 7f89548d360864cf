//! A node in this process, for behaviour that no built-in service has.

use polywire::config::Loader;
use polywire_tests::inventory::Stock;

/// A node of the built-in services and a stock, of whose messages it has no schema.
pub(crate) struct Shop {
    pub(crate) grpc: String,
    pub(crate) iroh: String,
    /// The address of the HTTP side.
    pub(crate) http: String,
    _data: tempfile::TempDir,
}

impl Shop {
    pub(crate) async fn open(stock: Stock) -> Self {
        let data = tempfile::tempdir().unwrap();
        let loaded = Loader::new()
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("http.bind_address", "127.0.0.1:0")
            .flag("node.data_dir", data.path().to_str().unwrap())
            .load()
            .unwrap();
        let node = polywire_services::node();
        let node = node.service(stock.server()).config(loaded.config).bind().await.unwrap();
        let targets = node.targets().clone();
        tokio::spawn(node.serve(std::future::pending()));
        let target = |transport| targets.get(transport).unwrap().to_owned();
        let http = targets.http.as_deref().unwrap().trim_start_matches("http://").to_owned();
        Self { grpc: target("grpc"), iroh: target("iroh"), http, _data: data }
    }
}
