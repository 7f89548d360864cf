//! Every transport and every other way to a service, held to the same suite; and the suite, held to transports that
//! are broken.

mod broken;
mod ways;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use peak_alloc::PeakAlloc;
use polywire::{
    ConnectOptions, config,
    grpc::Grpc,
    iroh::Iroh,
    memory::{self, Memory},
    quic::{self, Quic},
    unix::{self, Unix},
    websocket::{self, WebSocket},
};
use polywire_conformance::{Case, Conformance, Report, matrix};
use polywire_tests::pki::Pki;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How many calls run at a time on one connection: few, so that the limit is soon reached.
const STREAMS: u32 = 64;

/// How much more may be allocated after a thousand calls of each shape, in bytes: 32 a call, which is less than
/// any future or buffer that one could leave behind.
const TOLERANCE: usize = 128 << 10;

/// Why a case about codecs cannot be asked.
const NOT_ENCODED: &str = "messages are not encoded";

/// Why a case about what a process keeps to itself cannot be asked.
const OWN_PROCESS: &str = "the error behind a status stays in its process, which is this one";

/// The transports, in the order of the documentation's columns.
fn transports(pki: &Pki, directory: &Path) -> Vec<Conformance> {
    vec![grpc(), grpc_over_tls(pki), iroh(), quic(), unix(directory), websocket(pki), memory()]
}

fn grpc() -> Conformance {
    let config =
        config::Grpc { bind_address: LOOPBACK, max_concurrent_streams: STREAMS, ..config::Grpc::default() };
    Conformance::new(Grpc, config).named("gRPC")
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
    Conformance::new(Grpc, config).named("gRPC over TLS").connect_options(options)
}

fn iroh() -> Conformance {
    let idle_timeout = Duration::from_secs(2);
    let config = config::Iroh {
        max_concurrent_streams: STREAMS,
        idle_timeout,
        keep_alive_interval: idle_timeout / 4,
        ..config::Iroh::default()
    };
    Conformance::new(Iroh, config).named("Iroh").vanished_within(2 * idle_timeout)
}

fn quic() -> Conformance {
    let idle_timeout = Duration::from_secs(2);
    let config = quic::Config {
        bind_address: LOOPBACK,
        max_concurrent_streams: STREAMS,
        idle_timeout,
        keep_alive_interval: idle_timeout / 4,
        ..quic::Config::default()
    };
    Conformance::new(Quic::default(), config).named("QUIC").vanished_within(2 * idle_timeout)
}

fn unix(directory: &Path) -> Conformance {
    let directory = directory.to_owned();
    let next = AtomicUsize::new(0);
    let config = move || unix::Config {
        path: directory.join(format!("{}.sock", next.fetch_add(1, Ordering::Relaxed))),
        max_concurrent_streams: STREAMS,
        ..unix::Config::default()
    };
    Conformance::with(Unix, config).named("Unix sockets")
}

fn memory() -> Conformance {
    let config = memory::Config {
        name: "conformance".to_owned(),
        max_concurrent_streams: STREAMS,
        ..memory::Config::default()
    };
    Conformance::new(Memory, config)
        .named("memory")
        .without(Case::ClientCodec, NOT_ENCODED)
        .without(Case::Cause, OWN_PROCESS)
}

fn websocket(pki: &Pki) -> Conformance {
    let config = websocket::Config {
        bind_address: LOOPBACK,
        tls_cert: Some(pki.certificate.clone()),
        tls_key: Some(pki.key.clone()),
        max_concurrent_streams: STREAMS,
        ..websocket::Config::default()
    };
    let options = ConnectOptions::new().ca_file(&pki.authority);
    Conformance::new(WebSocket, config).named("WebSockets").connect_options(options)
}

/// Runs the suites one after another, for what each allocates is counted.
fn run(suites: impl IntoIterator<Item = Conformance>) -> Vec<Report> {
    let run = |suite: Conformance| {
        let report = suite.allocated(|| ALLOCATOR.current_usage(), TOLERANCE).run();
        println!("{report}\n");
        report
    };
    let reports = Vec::from_iter(suites.into_iter().map(run));
    let failed = Vec::from_iter(reports.iter().filter(|report| !report.passed()).map(Report::name));
    assert!(failed.is_empty(), "these do not conform: {failed:?}");
    reports
}

#[test]
fn every_transport_conforms_as_the_documentation_says() {
    let directory = tempfile::tempdir().unwrap();
    let transports = transports(&Pki::new(directory.path()), directory.path());
    let reports = run(transports.into_iter().map(|suite| suite.concurrency_limit(STREAMS as usize)));
    is_documented("## Transports", &reports);
}

/// Compares the tables with those below this heading of the documentation, or writes them there where
/// `POLYWIRE_UPDATE_DOCS` is set.
fn is_documented(heading: &str, reports: &[Report]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/CONFORMANCE.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, section) = text.split_once(&format!("{heading}\n")).expect("the heading");
    let (kept, after) =
        section.split_once("\n## ").map_or((section, None), |(kept, after)| (kept, Some(after)));
    let (introduction, tables) =
        kept.split_once("\n\n|").map_or((kept, ""), |(before, _)| (before, &kept[before.len() + 1..]));
    let introduction = introduction.trim_end();
    let found = matrix(reports);
    if std::env::var_os("POLYWIRE_UPDATE_DOCS").is_some() {
        let after = after.map(|after| format!("\n## {after}")).unwrap_or_default();
        std::fs::write(&path, format!("{before}{heading}\n{introduction}\n{found}{after}")).unwrap();
        return;
    }
    let hint = "runtime/CONFORMANCE.md is not what the suite finds; POLYWIRE_UPDATE_DOCS=1 writes it anew";
    assert!(tables == found, "{hint}; expected below {heading:?}:\n{found}");
}
