//! Who calls is one identity on every transport that is encrypted, and proved in one way.

mod foreign;
mod node;
mod reload;
mod rules;
mod transports;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use polywire::{
    Drain, ServiceExt as _,
    grpc::Grpc,
    quic::{self, Quic},
    transport::{BindContext, Bound, Serving, Transport},
    websocket::{self, WebSocket},
};
use polywire_tests::inventory::{Item, Stock};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use tokio::task::JoinHandle;

/// An authority that signs certificates of clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A client's certificate and its key, PEM.
struct Shown {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: SanType) -> Shown {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Shown { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Writes its certificate to this file.
    fn write(&self, file: &Path) {
        fs::write(file, self.0.pem()).unwrap();
    }
}

fn spiffe(id: &str) -> SanType {
    SanType::URI(id.try_into().unwrap())
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// A certificate that an Ed25519 key has signed itself, and the key's identity.
fn of_key() -> (Shown, String) {
    // As OpenSSL writes a secret key, here of 32 fives; others take no key with its public half beside it.
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let key = KeyPair::try_from([prefix, [5; 16], [5; 16]].concat()).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    let identity = key.public_key_raw().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    (Shown { certificate: certificate.pem(), key: key.serialize_pem() }, format!("key:{identity}"))
}

impl Shown {
    /// Writes both, each to a file of its own.
    fn write(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let write = |file: String, text: &str| {
            let path = directory.join(file);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        (write(format!("{name}.pem"), &self.certificate), write(format!("{name}.key"), &self.key))
    }
}

/// The files of a listener: certificate, key, clients' authorities; without a certificate it shows its node's key.
#[derive(Clone, Default)]
struct Files {
    pair: Option<(PathBuf, PathBuf)>,
    client_ca: Option<PathBuf>,
}

/// A [`stock`] that is served. Dropped, it ends at once.
struct Server {
    target: String,
    serving: JoinHandle<()>,
}

/// A stock whose `get` answers with the caller's identity.
fn stock() -> Stock {
    Stock::new().on_get(async |arrival, _| {
        let caller = arrival.caller.unwrap();
        assert!(caller.is_local, "{caller:?}");
        Ok(Item::named(caller.identity.map_or_else(|| "none".to_owned(), |identity| identity.to_string())))
    })
}

/// The secret key of a server's node.
const NODE: [u8; 32] = [7; 32];

impl Server {
    async fn start(transport: &str, files: Files) -> Self {
        let bind_address = "127.0.0.1:0".parse().unwrap();
        let (tls_cert, tls_key) = files.pair.unzip();
        let client_ca = files.client_ca;
        match transport {
            "grpc" => {
                let config = polywire::config::Grpc {
                    bind_address,
                    tls_enabled: true,
                    tls_cert,
                    tls_key,
                    client_ca,
                    ..Default::default()
                };
                Self::serve(&Grpc, config).await
            }
            "websocket" => {
                let config = websocket::Config {
                    bind_address,
                    tls_enabled: true,
                    tls_cert,
                    tls_key,
                    client_ca,
                    ..Default::default()
                };
                Self::serve(&WebSocket, config).await
            }
            _ => {
                let config =
                    quic::Config { bind_address, tls_cert, tls_key, client_ca, ..Default::default() };
                Self::serve(&Quic::default(), config).await
            }
        }
    }

    async fn serve<T: Transport>(transport: &T, config: T::Config) -> Self {
        let service = stock().server().into_channel();
        let bound = transport.bind(config, BindContext::new(NODE, service.clone())).await.unwrap();
        let target = bound.target();
        Self { target, serving: tokio::spawn(bound.serve(Serving::new(service, Drain::new()))) }
    }

    /// Its address.
    fn address(&self) -> &str {
        let (_, rest) = self.target.split_once("://").unwrap();
        rest.split(['?', '/']).next().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the key of this secret key is called.
fn key_of(secret: [u8; 32]) -> String {
    format!("key:{}", quic::Identity::new(secret).public_key())
}
