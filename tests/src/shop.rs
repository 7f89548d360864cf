//! A node in this process, for behaviour that no built-in service has.

use std::path::Path;

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
    data: tempfile::TempDir,
}

impl Shop {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn open(stock: Stock) -> Self {
        Self::open_with(stock, &[]).await
    }

    /// Starts one that trusts no caller on its own machine either.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn closed(stock: Stock) -> Self {
        Self::open_with(stock, &[("access.trust_local", "false")]).await
    }

    async fn open_with(stock: Stock, flags: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let loader = Loader::new()
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("http.bind_address", "127.0.0.1:0")
            .flag("node.data_dir", data.path().to_str().expect("a path of text"));
        let loader = flags.iter().fold(loader, |loader, (key, value)| loader.flag(*key, *value));
        let loaded = loader.load().expect("a configuration");
        let node = polywire_services::node().with(polywire_services::cluster());
        let node =
            node.service(stock.server()).config(loaded.config).bind().await.expect("free ports on loopback");
        let targets = node.targets().clone();
        tokio::spawn(node.serve(std::future::pending()));
        let target = |transport| targets.get(transport).expect("a transport that is on").to_owned();
        let http = targets.http.as_deref().expect("an HTTP side").trim_start_matches("http://").to_owned();
        Self { grpc: target("grpc"), iroh: target("iroh"), http, data }
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }
}
