//! Certificates that are renewed, expire or are none.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use polywire::{Channel, ConnectOptions, Status, Streaming, Target};
use polywire_proto::grpc::health::v1::HealthCheckResponse;
use polywire_services::health::HealthClient;
use polywire_tests::{
    node::{FREE_PORTS, Node, run},
    patience::{eventually, within},
    pki::Pki,
};
use rustix::process::Signal;

use super::ask;
use crate::metrics::{samples, value};

/// A directory as Kubernetes mounts one: files are links to those of another directory, which is changed as a whole.
struct Mount {
    directory: tempfile::TempDir,
    version: u32,
}

const FILES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

impl Mount {
    fn new() -> Self {
        let mut mount = Self { directory: tempfile::tempdir().unwrap(), version: 0 };
        mount.renew();
        for file in FILES {
            symlink(Path::new("..data").join(file), mount.file(file)).unwrap();
        }
        mount
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts other files there, all at once. Returns the authority, at a path of its own.
    fn renew(&mut self) -> PathBuf {
        self.version += 1;
        let version = format!("..{}", self.version);
        fs::create_dir(self.file(&version)).unwrap();
        let pki = Pki::new(&self.file(&version));
        symlink(&version, self.file("..new")).unwrap();
        fs::rename(self.file("..new"), self.file("..data")).unwrap();
        pki.authority
    }

    /// The authority of what is there now.
    fn authority(&self) -> PathBuf {
        self.file(&format!("..{}", self.version)).join("ca.pem")
    }
}

/// The flags of a transport under TLS with these files.
fn flags(transport: &str, certificate: &Path, key: &Path) -> Vec<String> {
    let switch = if transport == "grpc" { "tls_enabled" } else { "enabled" };
    vec![
        format!("--transport.{transport}.{switch}=true"),
        format!("--transport.{transport}.bind_address=127.0.0.1:0"),
        format!("--transport.{transport}.tls_cert={}", certificate.display()),
        format!("--transport.{transport}.tls_key={}", key.display()),
    ]
}

const TRANSPORTS: [&str; 3] = ["grpc", "quic", "websocket"];

async fn node(transports: &[&str], certificate: &Path, key: &Path) -> Node {
    let flags = Vec::from_iter(transports.iter().flat_map(|transport| flags(transport, certificate, key)));
    let mut all = vec!["--log.format=json"];
    all.extend(flags.iter().map(String::as_str));
    Node::start(&all).await
}

fn target<'a>(node: &'a Node, transport: &str) -> &'a str {
    if transport == "grpc" { node.grpc() } else { node.target(transport) }
}

/// A channel that trusts this authority.
async fn trusting(target: &str, authority: &Path) -> Channel {
    // Certificates are for names and not for an address of every form.
    let target: Target = target.replace("127.0.0.1", "localhost").parse().unwrap();
    target.connect(&ConnectOptions::new().ca_file(authority)).await.unwrap()
}

async fn check(channel: &Channel) -> Result<(), Status> {
    let client = HealthClient::new(channel.clone());
    client.check(ask("")).timeout(Duration::from_secs(10)).await.map(|_| ())
}

async fn watch(channel: &Channel) -> Streaming<HealthCheckResponse> {
    let mut watch = HealthClient::new(channel.clone()).watch(ask("")).await.unwrap();
    within(watch.message()).await.unwrap().unwrap();
    watch
}

/// Waits until new connections meet a certificate of this authority.
async fn shows(node: &Node, transport: &str, authority: &Path) {
    let target = target(node, transport);
    eventually(transport, async || check(&trusting(target, authority).await).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_by_every_listener_and_no_call_in_flight_is_dropped() {
    let mut mount = Mount::new();
    let node = node(&TRANSPORTS, &mount.file("cert.pem"), &mount.file("key.pem")).await;
    let old = mount.authority();
    let mut watches = Vec::new();
    let mut channels = Vec::new();
    for transport in TRANSPORTS {
        let channel = trusting(target(&node, transport), &old).await;
        watches.push(watch(&channel).await);
        channels.push(channel);
    }
    let new = mount.renew();
    for transport in TRANSPORTS {
        shows(&node, transport, &new).await;
        let distrusting = trusting(target(&node, transport), &old).await;
        check(&distrusting).await.expect_err("the old authority has not signed the new certificate");
    }
    for channel in &channels {
        check(channel).await.expect("the connection that was there goes on");
    }
    node.signal(Signal::TERM);
    for watch in &mut watches {
        let last = within(watch.message()).await.unwrap();
        assert!(last.is_some(), "it was in flight all the time, and is told that the node ends");
    }
    let log = node.ended().await.stderr;
    let read = log.lines().filter(|line| line.contains("the certificate and its key were read"));
    assert_eq!(read.count(), 2 * TRANSPORTS.len(), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_read_with_its_key_alone_and_at_a_hangup() {
    let directory = tempfile::tempdir().unwrap();
    let old = Pki::new(directory.path());
    let renewed = tempfile::tempdir().unwrap();
    let new = Pki::new(renewed.path());
    let node = node(&["grpc"], &old.certificate, &old.key).await;
    fs::rename(&new.certificate, &old.certificate).unwrap();
    node.signal(Signal::HUP);
    let page = eventually("the half is refused", async || {
        let page = node.get("/readyz?verbose").await;
        page.body.contains("note: certificate of grpc: the changed one is refused").then_some(page)
    })
    .await;
    assert_eq!(page.status, 200, "it goes on: {}", page.body);
    assert!(page.body.contains("cert.pem") && page.body.contains("key.pem"), "{}", page.body);
    shows(&node, "grpc", &old.authority).await;

    fs::rename(&new.key, &old.key).unwrap();
    shows(&node, "grpc", &new.authority).await;
    let page = node.get("/readyz?verbose").await;
    assert!(!page.body.contains("note: certificate"), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_trusts_the_authorities_that_are_in_its_file_now() {
    let mut mount = Mount::new();
    let node = node(&["grpc"], &mount.file("cert.pem"), &mount.file("key.pem")).await;
    let trusted = tempfile::tempdir().unwrap();
    let file = trusted.path().join("ca.pem");
    fs::copy(mount.authority(), &file).unwrap();
    let channel = trusting(node.grpc(), &file).await;
    check(&channel).await.unwrap();
    let mut flight = watch(&channel).await;

    let other = Pki::new(trusted.path());
    assert_eq!(other.authority, file);
    eventually("the server's authority is no longer trusted", async || check(&channel).await.err()).await;
    let new = mount.renew();
    fs::copy(&new, &file).unwrap();
    eventually("its new one is", async || check(&channel).await.ok()).await;
    node.signal(Signal::TERM);
    assert!(within(flight.message()).await.unwrap().is_some(), "what was in flight has stayed");
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a node says of a certificate that is valid for this time: a line of its log, a page of its health, the gauge.
async fn told(from: SystemTime, until: SystemTime) -> (String, String, f64) {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::valid(directory.path(), from..until);
    let node = node(&["grpc"], &pki.certificate, &pki.key).await;
    let page = node.get("/readyz?verbose").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let samples = samples(&node.get("/metrics").await.body);
    let left = value(&samples, "polywire_tls_certificate_expiry_seconds", &[("transport", "grpc")]);
    let log = node.terminate().await.stderr;
    let line = log.lines().find(|line| line.contains("the certificate") && !line.contains("INFO"));
    (line.unwrap_or_default().to_owned(), page.body, left)
}

#[tokio::test]
async fn a_certificate_that_has_expired_or_will_soon_or_is_not_valid_yet_is_told_in_log_health_and_metrics() {
    let now = SystemTime::now();
    let (line, page, left) = told(now - 400 * DAY, now - 30 * DAY).await;
    assert!(line.contains("ERROR") && line.contains("expired at"), "{line}");
    assert!(page.contains("note: certificate of grpc: expired at"), "{page}");
    assert!((-31.0..-29.0).contains(&(left / DAY.as_secs_f64())), "{left}");

    let (line, page, left) = told(now - 400 * DAY, now + 5 * DAY).await;
    assert!(line.contains("WARN") && line.contains("expires at"), "{line}");
    assert!(page.contains("note: certificate of grpc: expires at"), "{page}");
    assert!((4.0..6.0).contains(&(left / DAY.as_secs_f64())), "{left}");

    let (line, page, _) = told(now + 5 * DAY, now + 400 * DAY).await;
    assert!(line.contains("ERROR") && line.contains("is not valid before"), "{line}");
    assert!(page.contains("note: certificate of grpc: is not valid before"), "{page}");

    let (line, page, _) = told(now - DAY, now + 400 * DAY).await;
    assert_eq!(line, "");
    assert!(!page.contains("note: certificate"), "{page}");
}

/// Why a node does not start whose certificate and key are these texts.
async fn refused(certificate: &str, key: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let flags = flags("grpc", &write("cert.pem", certificate), &write("key.pem", key));
    let mut arguments = vec!["serve", FREE_PORTS[1]];
    arguments.extend(flags.iter().map(String::as_str));
    let refused = run(directory.path(), &arguments).await;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    refused.stderr
}

#[tokio::test]
async fn a_certificate_of_the_first_version_or_an_encrypted_key_is_named_and_the_other_file_is_not_blamed() {
    let told = refused(V1, V1_KEY).await;
    assert!(told.contains("cert.pem") && told.contains("X.509 v1; expected v3"), "{told}");
    assert!(!told.contains("key.pem"), "{told}");

    let directory = tempfile::tempdir().unwrap();
    let good = fs::read_to_string(Pki::new(directory.path()).certificate).unwrap();
    for key in [ENCRYPTED, &V1_KEY.replace("-----\nM", "-----\nProc-Type: 4,ENCRYPTED\n\nM")] {
        let told = refused(&good, key).await;
        assert!(told.contains("key.pem") && told.contains("is encrypted"), "{told}");
        assert!(!told.contains("cert.pem"), "{told}");
    }
}

/// As `openssl x509 -req -signkey` makes it of a request without extensions.
const V1: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBFTCBvQIUNdakw7lfPqwzRDHaS3B1ng0sb20wCgYIKoZIzj0EAwIwDjEMMAoG\n\
A1UEAwwDb2xkMB4XDTI2MTEzMDE4NDk0MFoXDTM2MTEyNzE4NDk0MFowDjEMMAoG\n\
A1UEAwwDb2xkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcCmwve9/3l9YujDu\n\
viLyWNOwcD3xqRAMot6L+ybn4p7ALLfj2a5Mdj/WBqxuas1eJ3RcKm5C3i6Q25BP\n\
xC6H8TAKBggqhkjOPQQDAgNHADBEAiB34lc6sEDkLUAaBap/Dsc5E85GHGNzAhGU\n\
8x2yVj41JQIgLf+ZCP3jOhVHh6Q+GR4YvO6NF+D3ICX38eKIbmCvnDI=\n\
-----END CERTIFICATE-----\n";

/// Its key.
const V1_KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwX8yVnxG76pjFP3W\n\
h/BtsH5KEqQcYEK3nmU0V+cl586hRANCAARwKbC973/eX1i6MO6+IvJY07BwPfGp\n\
EAyi3ov7JufinsAst+PZrkx2P9YGrG5qzV4ndFwqbkLeLpDbkE/ELofx\n\
-----END PRIVATE KEY-----\n";

/// The same key under a passphrase.
const ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjRecgaVyxGsQICCAAw\n\
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEL+1FIOB83G9svtau8EtydMEgZCA\n\
A9iaqjYt6b1kqzzSbB5LADEj50FNTabL7Ol4fVrYFjWjhn03HnlU28+JrTECcvVz\n\
yfM197tJu6OL7kUdHRJAytmxwedWXz/MrSuV91y/zd5CRp+/AjH9iMjgeTXnncPc\n\
kCGugDISAAZkx5E3NxuSR2mfbMPW7tvBD5l6CoZHd/CjZqJUIKWjeSVh0MkRT58=\n\
-----END ENCRYPTED PRIVATE KEY-----\n";
