//! Clients of others: grpcio, tonic, OpenSSL.

use std::{fs, process::Stdio};

use iroh::protocol::Router;
use polywire::{grpc::caller_of, iroh::Peer};
use polywire_tests::{
    endpoint,
    foreign::python,
    inventory::{GetRequest, InventoryClient},
    patience::within,
    pki::Pki,
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, process::Command};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{
    Certificate, ClientTlsConfig, Endpoint, Identity, Server as TonicServer, ServerTlsConfig,
};
use tower::util::MapRequestLayer;

use super::{Authority, Files, Server, Shown, dns, of_key, spiffe, stock};

/// A server under a certificate with an authority of clients, and clients of it.
struct World {
    directory: tempfile::TempDir,
    pki: Pki,
    server: Server,
    authority: Authority,
}

impl World {
    async fn new() -> Self {
        Self::serving("grpc").await
    }

    async fn serving(transport: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::new(directory.path());
        let authority = Authority::new("clients");
        let client_ca = directory.path().join("client-ca.pem");
        authority.write(&client_ca);
        let pair = Some((pki.certificate.clone(), pki.key.clone()));
        let server = Server::start(transport, Files { pair, client_ca: Some(client_ca) }).await;
        Self { directory, pki, server, authority }
    }

    fn trusted(&self) -> String {
        fs::read_to_string(&self.pki.authority).unwrap()
    }

    /// Who tonic's client is that shows this.
    async fn tonics(&self, shown: Option<&Shown>) -> Result<String, String> {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.trusted()));
        let tls = match shown {
            Some(shown) => tls.identity(Identity::from_pem(&shown.certificate, &shown.key)),
            None => tls,
        };
        let endpoint = Endpoint::from_shared(format!("https://{}", self.server.address())).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect_lazy();
        let answer = InventoryClient::new(channel).get(GetRequest::default()).await;
        answer.map(|item| item.name).map_err(|status| status.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tonics_client_is_who_its_certificate_says() {
    let world = World::new().await;
    let (of_key, key) = of_key();
    let named = world.authority.sign(spiffe("spiffe://example.org/ns/a"));
    let called = world.authority.sign(dns("api.example.org"));
    let other = Authority::new("others").sign(dns("api.example.org"));
    assert_eq!(world.tonics(None).await.unwrap(), "none");
    assert_eq!(world.tonics(Some(&of_key)).await.unwrap(), key);
    assert_eq!(world.tonics(Some(&named)).await.unwrap(), "spiffe://example.org/ns/a");
    assert_eq!(world.tonics(Some(&called)).await.unwrap(), "dns:api.example.org");
    world.tonics(Some(&other)).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcios_client_is_who_its_certificate_says() {
    let world = World::new().await;
    let directory = world.directory.path();
    let named = world.authority.sign(spiffe("spiffe://example.org/ns/a")).write(directory, "named");
    let called = world.authority.sign(dns("api.example.org")).write(directory, "called");
    let other = Authority::new("others").sign(dns("api.example.org")).write(directory, "other");
    let (of_key, key) = of_key();
    let of_key = of_key.write(directory, "of-key");
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/python/certificates.py");
    let authority = world.pki.authority.to_str().unwrap();
    for (shown, expected) in [
        (None, "none"),
        (Some(named), "spiffe://example.org/ns/a"),
        (Some(called), "dns:api.example.org"),
        (Some(of_key), &key),
        (Some(other), "UNAVAILABLE"),
    ] {
        let mut command = Command::new(&python);
        command.args([script, world.server.address(), authority]);
        if let Some((certificate, key)) = &shown {
            command.args([certificate, key]);
        }
        let said = within(command.kill_on_drop(true).output()).await.unwrap();
        assert!(said.status.success(), "{said:?}");
        assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), expected, "{shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_shakes_hands_with_what_is_good_and_is_refused_with_what_is_not() {
    for (transport, alpn, request, is_answer) in [
        // The preface of HTTP/2 and SETTINGS, which the server answers with its own.
        ("grpc", "h2", PREFACE, (|answer| answer[3] == 4) as fn(&[u8]) -> bool),
        ("websocket", "http/1.1", UPGRADE, |answer| answer == b"HTTP/1.1 101"),
    ] {
        let world = World::serving(transport).await;
        if !shakes_hands(&world, alpn, request, is_answer).await {
            return polywire_tests::skip::skipped("nothing is tested against OpenSSL, which is not there");
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: polywire.mux.1\r\n\r\n";

/// Sends the request by OpenSSL with each certificate, and expects an answer, of which it sees the beginning, where the certificate is
/// good; `false` if there is no OpenSSL.
async fn shakes_hands(world: &World, alpn: &str, request: &[u8], is_answer: fn(&[u8]) -> bool) -> bool {
    let directory = world.directory.path();
    let good = world.authority.sign(dns("api.example.org")).write(directory, "good");
    let other = Authority::new("others").sign(dns("api.example.org")).write(directory, "other");
    // As OpenSSL makes it of a key by itself.
    let (certificate, key) = (directory.join("openssl.pem"), directory.join("openssl.key"));
    let mut make = Command::new("openssl");
    make.args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1", "-subj", "/CN=node"]);
    let made = make.arg("-out").arg(&certificate).arg("-keyout").arg(&key).output().await;
    let Ok(made) = made else { return false };
    assert!(made.status.success(), "{made:?}");
    for (shown, accepted) in
        [(None, true), (Some(good), true), (Some((certificate, key)), true), (Some(other), false)]
    {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", world.server.address(), "-alpn", alpn, "-verify_return_error"]);
        command.arg("-CAfile").arg(&world.pki.authority);
        if let Some((certificate, key)) = &shown {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
        command.args(["-quiet", "-no_ign_eof"]).kill_on_drop(true);
        let mut openssl =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = openssl.stdin.take().unwrap();
        let mut stdout = openssl.stdout.take().unwrap();
        // It may be gone already where it is refused.
        let _ = stdin.write_all(request).await;
        let _ = stdin.flush().await;
        let mut answer = [0; 12];
        let answered = within(tokio::io::AsyncReadExt::read_exact(&mut stdout, &mut answer)).await;
        let answered = answered.is_ok_and(|_| is_answer(&answer));
        assert_eq!(answered, accepted, "{alpn}, {shown:?}: {:?}", String::from_utf8_lossy(&answer));
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn under_tonics_server_callers_prove_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let authority = Authority::new("clients");
    let read = |path| fs::read_to_string(path).unwrap();
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read(&pki.certificate), read(&pki.key)))
        .client_ca_root(Certificate::from_pem(authority.0.pem()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = MapRequestLayer::new(|mut request: http::Request<tonic::body::Body>| {
        let caller = caller_of(request.extensions());
        request.extensions_mut().insert(caller);
        request
    });
    let mut server = TonicServer::builder().tls_config(tls).unwrap().layer(told);
    let server = server.add_service(stock().server().into_grpc());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let shown = authority.sign(spiffe("spiffe://example.org/ns/a"));
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&pki.authority)))
        .identity(Identity::from_pem(&shown.certificate, &shown.key));
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(tls).unwrap();
    let client = InventoryClient::new(endpoint.connect_lazy());
    assert_eq!(client.get(GetRequest::default()).await.unwrap().name, "spiffe://example.org/ns/a");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_irohs_router_a_client_is_its_endpoint_id() {
    let server = endpoint::plain().await;
    let handler = stock().server().into_iroh();
    let router = Router::builder(server.clone()).accept(polywire::iroh::ALPN, handler).spawn();
    let client = endpoint::plain().await;
    let called = InventoryClient::new(Peer::new(client.clone(), server.addr()));
    assert_eq!(called.get(GetRequest::default()).await.unwrap().name, format!("key:{}", client.id()));
    within(router.shutdown()).await.unwrap();
}
