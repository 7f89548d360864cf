//! Every transport, held to the same suite.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use polywire::{
    ConnectOptions, config,
    conformance::Conformance,
    grpc::Grpc,
    iroh::Iroh,
    memory::{self, Memory},
    unix::{self, Unix},
    websocket::{self, WebSocket},
};
use polywire_tests::pki::Pki;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How many calls run at a time on one connection: few, so that the limit is soon reached.
const STREAMS: u32 = 64;

fn grpc() -> Conformance {
    let config =
        config::Grpc { bind_address: LOOPBACK, max_concurrent_streams: STREAMS, ..config::Grpc::default() };
    Conformance::new(Grpc, config).named("gRPC").concurrency_limit(STREAMS as usize)
}

fn grpc_over_tls(pki: &Pki) -> Conformance {
    let config = config::Grpc {
        bind_address: LOOPBACK,
        tls_enabled: true,
        tls_cert: Some(pki.certificate.clone()),
        tls_key: Some(pki.key.clone()),
        max_concurrent_streams: STREAMS,
        ..config::Grpc::default()
    };
    let options = ConnectOptions::new().ca_file(&pki.authority);
    Conformance::new(Grpc, config)
        .named("gRPC over TLS")
        .connect_options(options)
        .concurrency_limit(STREAMS as usize)
}

fn iroh() -> Conformance {
    let idle_timeout = Duration::from_secs(2);
    let config = config::Iroh {
        max_concurrent_streams: STREAMS,
        idle_timeout,
        keep_alive_interval: idle_timeout / 4,
        ..config::Iroh::default()
    };
    Conformance::new(Iroh, config)
        .named("Iroh")
        .concurrency_limit(STREAMS as usize)
        .vanished_within(2 * idle_timeout)
}

/// A number that no other server of this process has.
fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn memory() -> Conformance {
    let config = || memory::Config {
        name: format!("conformance-{}", number()),
        max_concurrent_streams: STREAMS,
        ..memory::Config::default()
    };
    Conformance::with(Memory, config).concurrency_limit(STREAMS as usize)
}

fn unix(directory: &Path) -> Conformance {
    let directory = directory.to_owned();
    let config = move || unix::Config {
        path: directory.join(format!("{}.sock", number())),
        max_concurrent_streams: STREAMS,
        ..unix::Config::default()
    };
    Conformance::with(Unix, config).concurrency_limit(STREAMS as usize)
}

fn websocket() -> Conformance {
    let config = websocket::Config {
        bind_address: LOOPBACK,
        max_concurrent_streams: STREAMS,
        ..websocket::Config::default()
    };
    Conformance::new(WebSocket, config).concurrency_limit(STREAMS as usize)
}

fn websocket_over_tls(pki: &Pki) -> Conformance {
    let config = websocket::Config {
        bind_address: LOOPBACK,
        path: "/calls".to_owned(),
        tls_cert: Some(pki.certificate.clone()),
        tls_key: Some(pki.key.clone()),
        max_concurrent_streams: STREAMS,
        ..websocket::Config::default()
    };
    let options = ConnectOptions::new().ca_file(&pki.authority);
    Conformance::new(WebSocket, config)
        .named("WebSockets over TLS")
        .connect_options(options)
        .concurrency_limit(STREAMS as usize)
}

#[test]
fn memory_conforms() {
    memory().run().assert();
}

#[test]
fn unix_conforms() {
    let directory = tempfile::tempdir().unwrap();
    unix(directory.path()).run().assert();
}

#[test]
fn grpc_conforms() {
    grpc().run().assert();
}

#[test]
fn grpc_over_tls_conforms() {
    let directory = tempfile::tempdir().unwrap();
    grpc_over_tls(&Pki::new(directory.path())).run().assert();
}

#[test]
fn iroh_conforms() {
    iroh().run().assert();
}

#[test]
fn websockets_conform() {
    websocket().run().assert();
}

#[test]
fn websockets_over_tls_conform() {
    let directory = tempfile::tempdir().unwrap();
    websocket_over_tls(&Pki::new(directory.path())).run().assert();
}
