//! Which certificate of a client proves which identity, at the TLS of every transport.

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ED25519,
    SanType, date_time_ymd,
};
use rustls::{
    ClientConfig, ServerConfig, SignatureScheme, SupportedProtocolVersion,
    client::ResolvesClientCert,
    crypto::ring,
    pki_types::{PrivateKeyDer, ServerName},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::super::{
    Callers, Certificates, PublicKey, ServerTrust, TlsSettings, listener_tls, node_key::NodeKey,
};
use crate::{Caller, Router, transport::BindContext};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn shown(certificate: &Certificate, key: &KeyPair) -> Arc<CertifiedKey> {
    let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = ring::default_provider().key_provider.load_private_key(secret).unwrap();
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

fn params(names: &[SanType]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    params
}

fn signed(issuer: &Issuer, params: CertificateParams) -> Arc<CertifiedKey> {
    // That its key is Ed25519's does not make it a certificate of the key.
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    shown(&params.signed_by(&key, issuer).unwrap(), &key)
}

fn own(params: CertificateParams) -> Arc<CertifiedKey> {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    shown(&params.self_signed(&key).unwrap(), &key)
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = date_time_ymd(2020, 1, 1);
    params
}

fn spiffe() -> SanType {
    SanType::URI("spiffe://example.org/ns/a".try_into().unwrap())
}

fn dns() -> SanType {
    SanType::DnsName("api.example.org".try_into().unwrap())
}

/// A client that shows this, whatever it is asked for.
#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// A listener that shows its own key.
struct Server {
    tls: Arc<ServerConfig>,
    callers: Arc<Callers>,
    pin: PublicKey,
    certificates: Certificates,
}

impl Server {
    fn new(client_ca: Option<PathBuf>) -> Self {
        Self::in_cluster(client_ca, None)
    }

    fn in_cluster(client_ca: Option<PathBuf>, cluster_ca: Option<PathBuf>) -> Self {
        let certificates = Certificates::default();
        let node =
            BindContext::new([7; 32], Router::new()).keeping(certificates.clone()).trusting(cluster_ca);
        let settings = TlsSettings { transport: "grpc", certificate: None, key: None, client_ca };
        let tls = listener_tls(settings, &node, b"h2").unwrap();
        Self { tls: Arc::new(tls.config), callers: tls.callers, pin: tls.pin.unwrap(), certificates }
    }

    fn client(&self, version: &'static SupportedProtocolVersion, shows: Shows) -> Arc<ClientConfig> {
        let versions = &[version];
        let key = Some(self.pin);
        let trust = ServerTrust { key, ca_file: None, secret_key: None, raw: false, versions };
        let mut config = trust.client(b"h2").unwrap();
        config.client_auth_cert_resolver = Arc::new(shows);
        Arc::new(config)
    }

    /// What the server knows of a client after a handshake.
    async fn shake(&self, client: &Arc<ClientConfig>) -> Result<String, String> {
        let (near, far) = duplex(1 << 16);
        let (acceptor, connector) = (TlsAcceptor::from(self.tls.clone()), TlsConnector::from(client.clone()));
        let dialling = async {
            let name = ServerName::try_from("anything").unwrap();
            let mut near = connector.connect(name, near).await?;
            // What comes before it are the tickets with which the session can be resumed.
            near.read_u8().await
        };
        let accepting = async {
            let mut far = acceptor.accept(far).await.map_err(|error| error.to_string())?;
            far.write_u8(0).await.unwrap();
            far.flush().await.unwrap();
            let shown = far.get_ref().1.peer_certificates().unwrap_or_default();
            let caller = self.callers.identify(Caller::new("grpc"), shown);
            Ok(caller.identity.map_or_else(|| "none".to_owned(), |identity| identity.to_string()))
        };
        tokio::join!(accepting, dialling).0
    }
}

#[tokio::test]
async fn each_kind_of_certificate_proves_its_identity_and_others_are_refused() {
    let directory = TempDir::new().unwrap();
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let file = directory.path().join("client-ca.pem");
    fs::write(&file, ours.pem()).unwrap();
    let (with, without) = (Server::new(Some(file)), Server::new(None));

    let node = NodeKey::new(&[5; 32]).unwrap();
    let key = format!("key:{}", node.public);
    let stolen = NodeKey::new(&[6; 32]).unwrap().certificate().unwrap().cert.clone();
    let stolen = Arc::new(CertifiedKey::new(stolen, node.certificate().unwrap().key.clone()));
    let mut as_openssl = params(&[]);
    as_openssl.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let as_openssl = own(as_openssl);
    let its_key = super::super::x509::X509::read(&as_openssl.cert[0]).unwrap().own_key().unwrap();
    let its_key = format!("key:{its_key}");
    let other_key = KeyPair::generate().unwrap();
    let other_own = shown(&params(&[dns()]).self_signed(&other_key).unwrap(), &other_key);

    let unknown = Err("UnknownIssuer");
    // What is shown, what it proves under `client_ca`, and without it.
    let cases = [
        ("none", None, Ok("none"), Ok("none")),
        ("a node's key", Some(node.certificate().unwrap()), Ok(&*key), Ok(&*key)),
        ("a key's certificate that is an authority's", Some(as_openssl), Ok(&*its_key), Ok(&*its_key)),
        ("an expired one of a key", Some(own(expired(params(&[])))), Err("xpired"), Err("xpired")),
        ("a stolen one of a key", Some(stolen), Err("BadSignature"), Err("BadSignature")),
        ("SPIFFE", Some(signed(&ours, params(&[dns(), spiffe()]))), Ok("spiffe://example.org/ns/a"), unknown),
        ("DNS", Some(signed(&ours, params(&[dns()]))), Ok("dns:api.example.org"), unknown),
        ("no name", Some(signed(&ours, params(&[]))), Ok("none"), unknown),
        ("an expired one", Some(signed(&ours, expired(params(&[spiffe()])))), Err("xpired"), unknown),
        ("another authority's", Some(signed(&theirs, params(&[spiffe()]))), unknown, unknown),
        ("another kind of key", Some(other_own), unknown, unknown),
    ];
    for version in [&TLS12, &TLS13] {
        for (what, shown, under, not) in &cases {
            for (server, expected) in [(&with, under), (&without, not)] {
                let known = server.shake(&server.client(version, Shows(shown.clone()))).await;
                match (&known, expected) {
                    (Ok(known), Ok(expected)) => assert_eq!(known, expected, "{what}"),
                    (Err(error), Err(expected)) => assert!(error.contains(expected), "{what}: {error}"),
                    (known, expected) => panic!("{what}: expected {expected:?}, found {known:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn the_clusters_authorities_count_beside_those_of_clients() {
    let directory = TempDir::new().unwrap();
    let written = |name: &str| {
        let issuer = authority(name);
        let file = directory.path().join(format!("{name}.pem"));
        fs::write(&file, issuer.pem()).unwrap();
        (issuer, file)
    };
    let ((clients, client_ca), (members, cluster_ca)) = (written("clients"), written("members"));
    let both = Server::in_cluster(Some(client_ca), Some(cluster_ca.clone()));
    let alone = Server::in_cluster(None, Some(cluster_ca));
    let shake = async |server: &Server, issuer: &Issuer| {
        let shown = signed(issuer, params(&[dns()]));
        server.shake(&server.client(&TLS13, Shows(Some(shown)))).await
    };
    for (server, issuer) in [(&both, &clients), (&both, &members), (&alone, &members)] {
        assert_eq!(shake(server, issuer).await.unwrap(), "dns:api.example.org");
    }
    shake(&alone, &clients).await.unwrap_err();
}

#[tokio::test]
async fn a_resumed_session_of_an_authority_that_is_gone_proves_nothing() {
    let directory = TempDir::new().unwrap();
    let (old, new) = (authority("old"), authority("new"));
    let file = directory.path().join("client-ca.pem");
    fs::write(&file, old.pem()).unwrap();
    let server = Server::new(Some(file.clone()));
    for version in [&TLS12, &TLS13] {
        fs::write(&file, old.pem()).unwrap();
        let live = server.certificates.list().remove(0).certificate;
        live.renew().unwrap();
        let client = server.client(version, Shows(Some(signed(&old, params(&[dns()])))));
        assert_eq!(server.shake(&client).await.unwrap(), "dns:api.example.org");
        assert_eq!(server.shake(&client).await.unwrap(), "dns:api.example.org", "resumed");

        fs::write(&file, "no certificate").unwrap();
        let refused = live.renew().unwrap_err().to_string();
        assert!(refused.contains("client-ca.pem"), "{refused}");
        assert_eq!(server.shake(&client).await.unwrap(), "dns:api.example.org", "the old one stays");

        fs::write(&file, new.pem()).unwrap();
        live.renew().unwrap();
        assert_eq!(server.shake(&client).await.unwrap(), "none", "resumed");
        let client = server.client(version, Shows(Some(signed(&new, params(&[spiffe()])))));
        assert_eq!(server.shake(&client).await.unwrap(), "spiffe://example.org/ns/a");
    }
}

#[tokio::test]
async fn a_pinned_server_has_exactly_that_key() {
    let server = Server::new(None);
    let versions = rustls::DEFAULT_VERSIONS;
    let key = Some(PublicKey::from_bytes([1; 32]));
    let trust = ServerTrust { key, ca_file: None, secret_key: None, raw: false, versions };
    let wrong = server.shake(&Arc::new(trust.client(b"h2").unwrap())).await.unwrap_err();
    assert!(wrong.contains("alert"), "{wrong}");
    let right = ServerTrust { key: Some(server.pin), secret_key: Some([5; 32]), ..trust };
    let known = server.shake(&Arc::new(right.client(b"h2").unwrap())).await.unwrap();
    assert_eq!(known, format!("key:{}", NodeKey::new(&[5; 32]).unwrap().public));
}
