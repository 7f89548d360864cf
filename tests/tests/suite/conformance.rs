//! Every transport, held to the same suite.

use std::net::{Ipv4Addr, SocketAddr};

use polywire::{ConnectOptions, config, conformance::Conformance, grpc::Grpc, iroh::Iroh};
use polywire_tests::pki::Pki;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn grpc() -> Conformance {
    let config = config::Grpc { bind_address: LOOPBACK, ..config::Grpc::default() };
    Conformance::new(Grpc, config).named("gRPC")
}

fn grpc_over_tls(pki: &Pki) -> Conformance {
    let config = config::Grpc {
        bind_address: LOOPBACK,
        tls_enabled: true,
        tls_cert: Some(pki.certificate.clone()),
        tls_key: Some(pki.key.clone()),
        ..config::Grpc::default()
    };
    let options = ConnectOptions::new().ca_file(&pki.authority);
    Conformance::new(Grpc, config).named("gRPC over TLS").connect_options(options)
}

fn iroh() -> Conformance {
    Conformance::new(Iroh, config::Iroh::default()).named("Iroh")
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
