use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::{Alpn, ConnectionInfo, Listener, ListenerOptions, TlsError, TlsFiles};
use super::{Answering, HttpService, Served, hello};
use crate::Drain;

/// An authority and what it signed, in files.
struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("authority.pem"), issuer.pem()).unwrap();
        Self { directory, issuer }
    }

    /// Signs a certificate and writes it and its key to files.
    fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (chain, secret) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        fs::write(&chain, certificate.pem()).unwrap();
        fs::write(&secret, key.serialize_pem()).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        (chain, secret)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn server(&self, verify_clients: bool) -> TlsFiles {
        let (certificate_chain, private_key) = self.sign("localhost");
        let client_authorities = verify_clients.then(|| self.file("authority.pem"));
        TlsFiles { certificate_chain, private_key, client_authorities }
    }

    /// A client that trusts the authority, and shows a certificate if it has a name.
    fn client(&self, name: Option<&str>, alpn: &[u8]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match name.map(|name| self.sign(name)) {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_file(chain).unwrap()],
                    PrivateKeyDer::from_pem_file(key).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

/// Answers with what it knows of the connection.
fn whoami() -> impl HttpService {
    Answering(async |request: Request<Incoming>| {
        let ConnectionInfo { remote, local, tls, .. } = request.extensions().get().expect("the connection");
        let tls = tls.as_ref().map(|tls| (tls.peer_certificates.len(), tls.server_name.as_deref()));
        Response::new(Full::new(Bytes::from(format!("{remote} {local} {tls:?}"))))
    })
}

/// Serves on a socket; the drain ends it.
async fn listening(options: ListenerOptions) -> (SocketAddr, Drain, tokio::task::JoinHandle<()>) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    let serving = tokio::spawn(listener.serve_http2(options, whoami(), drain.clone()));
    (address, drain, serving)
}

async fn ask(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<String, hyper::Error> {
    let (mut client, connection) = handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
    tokio::spawn(connection);
    let request = Request::get("http://localhost/").body(Empty::<Bytes>::new()).expect("a request");
    let answer = client.send_request(request).await?.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(answer.into()).expect("text"))
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

#[tokio::test]
async fn a_request_knows_its_addresses_and_a_drained_port_is_closed() {
    let (address, drain, serving) = listening(ListenerOptions::default()).await;
    let tcp = TcpStream::connect(address).await.unwrap();
    let local = tcp.local_addr().unwrap();
    assert_eq!(ask(tcp).await.unwrap(), format!("{local} {address} None"));
    drain.stop();
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_verified_client_is_known_by_its_certificate() {
    let authority = Authority::new();
    let tls = Some(authority.server(true).load(Alpn::Http2).unwrap());
    let (address, ..) = listening(ListenerOptions { tls, ..ListenerOptions::default() }).await;

    let tcp = TcpStream::connect(address).await.unwrap();
    let io = authority.client(Some("alice"), b"h2").connect(localhost(), tcp).await.unwrap();
    assert!(ask(io).await.unwrap().ends_with("Some((1, Some(\"localhost\")))"));

    // TLS 1.3 lets a client finish before the server has seen that its certificate is missing.
    let tcp = TcpStream::connect(address).await.unwrap();
    if let Ok(io) = authority.client(None, b"h2").connect(localhost(), tcp).await {
        ask(io).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_client_of_another_protocol_is_refused_in_the_handshake() {
    let authority = Authority::new();
    let tls = Some(authority.server(false).load(Alpn::Http2).unwrap());
    let (address, ..) = listening(ListenerOptions { tls, ..ListenerOptions::default() }).await;
    let connect = async |alpn: &[u8]| {
        let tcp = TcpStream::connect(address).await.unwrap();
        authority.client(None, alpn).connect(localhost(), tcp).await
    };
    assert!(connect(b"http/1.1").await.is_err());
    assert!(connect(b"h2").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_tls_handshake_is_closed() {
    let tls = Some(Authority::new().server(false).load(Alpn::Http2).unwrap());
    let served = Served::http2(ListenerOptions { tls, ..ListenerOptions::default() }, hello());
    let began = tokio::time::Instant::now();
    let mut client = served.connect(1 << 10);
    assert!(client.read_u8().await.is_err());
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[test]
fn a_file_that_does_not_fit_is_named_with_what_was_expected() {
    let authority = Authority::new();
    let good = authority.server(false);
    let (_, foreign_key) = authority.sign("elsewhere");
    let broken = authority.file("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    let gone = authority.file("gone.pem");

    let message = |files: TlsFiles| files.load(Alpn::Http2).map(drop).unwrap_err().to_string();
    let chain = |path: &PathBuf| message(TlsFiles { certificate_chain: path.clone(), ..good.clone() });
    let key = |path: &PathBuf| message(TlsFiles { private_key: path.clone(), ..good.clone() });
    for (message, file, what) in [
        (chain(&gone), &gone, "cannot read the server's certificate chain"),
        (chain(&good.private_key), &good.private_key, "no PEM section for the server's certificate chain"),
        (chain(&broken), &broken, "is not valid PEM"),
        (
            key(&good.certificate_chain),
            &good.certificate_chain,
            "no PEM section for the server's private key",
        ),
        (key(&foreign_key), &foreign_key, "cannot be used with the first certificate"),
    ] {
        assert!(message.contains(&file.display().to_string()) && message.contains(what), "{message}");
    }
    fs::set_permissions(&good.private_key, fs::Permissions::from_mode(0o640)).unwrap();
    let exposed = message(good.clone());
    let expected =
        format!("{} is readable by others (mode 0640); expected mode 0600", good.private_key.display());
    assert!(exposed.ends_with(&expected), "{exposed}");
    fs::set_permissions(&good.private_key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(
        TlsFiles { client_authorities: Some(gone), ..good }.load(Alpn::Http1),
        Err(TlsError::Read { .. })
    ));
}
