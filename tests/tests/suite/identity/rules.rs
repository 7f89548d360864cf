//! Rules of a node for clients with certificates, as Python's grpcio shows them.

use std::path::PathBuf;

use polywire_tests::{
    foreign::{SCRIPTS, python},
    node::Node,
    patience::within,
    pki::Pki,
};
use tokio::process::Command;

use super::{Authority, dns, of_key, spiffe};

const GET: &str = "polywire.kv.v1.Kv/Get";
const LIST: &str = "polywire.kv.v1.Kv/List";
const STATUS: &str = "polywire.status.v1.Status/GetClusterStatus";
const CHECK: &str = "grpc.health.v1.Health/Check";

/// A client: what it shows, and what its calls of [`GET`], [`LIST`], [`STATUS`] and [`CHECK`] come to.
type Client = (&'static str, Option<(PathBuf, PathBuf)>, [&'static str; 4]);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_certificate_says_decides_what_its_client_may_call() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let pki = Pki::new(directory);
    let (authority, other) = (Authority::new("clients"), Authority::new("others"));
    let client_ca = directory.join("client-ca.pem");
    authority.write(&client_ca);
    let (of_key, key) = of_key();
    let rules =
        [("spiffe://example.org/ns/*", GET), ("dns:api.example.org", LIST), (&key, GET), (&key, "operator")];
    let rules = rules.map(|(who, what)| format!("{{ who = [\"{who}\"], what = [\"{what}\"] }}")).join(", ");
    let node = Node::start(&[
        "--access.trust_local=false",
        "--transport.grpc.tls_enabled=true",
        &format!("--transport.grpc.tls_cert={}", pki.certificate.display()),
        &format!("--transport.grpc.tls_key={}", pki.key.display()),
        &format!("--transport.grpc.client_ca={}", client_ca.display()),
        &format!("--access.allow=[{rules}]"),
    ])
    .await;

    let of = |authority: &Authority, name, file| Some(authority.sign(name).write(directory, file));
    let (yes, found, no, none) = ("OK", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED");
    let clients: [Client; 8] = [
        ("no certificate", None, [none, none, none, yes]),
        ("a SPIFFE id", of(&authority, spiffe("spiffe://example.org/ns/shop"), "a"), [found, no, no, yes]),
        (
            "a SPIFFE id elsewhere",
            of(&authority, spiffe("spiffe://example.org/nsx/shop"), "b"),
            [no, no, no, yes],
        ),
        ("a DNS name", of(&authority, dns("api.example.org"), "c"), [no, yes, no, yes]),
        ("another DNS name", of(&authority, dns("api.example.org.evil.org"), "d"), [no, no, no, yes]),
        ("a key", Some(of_key.write(directory, "e")), [found, no, yes, yes]),
        (
            "the SPIFFE id by others",
            of(&other, spiffe("spiffe://example.org/ns/shop"), "f"),
            ["UNAVAILABLE"; 4],
        ),
        ("the DNS name by others", of(&other, dns("api.example.org"), "g"), ["UNAVAILABLE"; 4]),
    ];
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let address = node.grpc().trim_start_matches("grpcs://").to_owned();
    for (name, shown, expected) in clients {
        let mut command = Command::new(&python);
        command.arg(format!("{SCRIPTS}/python/certificates.py")).arg(&address).arg(&pki.authority);
        command.env("POLYWIRE_METHODS", [GET, LIST, STATUS, CHECK].join(" ")).kill_on_drop(true);
        if let Some((certificate, key)) = &shown {
            command.args([certificate, key]);
        }
        let said = within(command.output()).await.unwrap();
        assert!(said.status.success(), "{said:?}");
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{name}");
    }
}
