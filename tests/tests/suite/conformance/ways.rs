//! The ways to a service that are no transport of a node.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use polywire::{config, grpc::Grpc, iroh::Iroh, unix};
use polywire_conformance::{Case, Conformance};
use polywire_tests::subjects::{
    BehindAGateway, GrpcOverUnix, InProcess, InProcessConfig, IrohsRouter, TonicsServer,
};

use super::{LOOPBACK, NOT_ENCODED, OWN_PROCESS, STREAMS, is_documented, run};

/// How long an Iroh connection of these tests may be silent.
const IDLE: Duration = Duration::from_secs(2);

fn grpc_config() -> config::Grpc {
    config::Grpc { bind_address: LOOPBACK, max_concurrent_streams: STREAMS, ..config::Grpc::default() }
}

fn iroh_config() -> config::Iroh {
    config::Iroh {
        max_concurrent_streams: STREAMS,
        idle_timeout: IDLE,
        keep_alive_interval: IDLE / 4,
        ..config::Iroh::default()
    }
}

fn tonics_server() -> Conformance {
    Conformance::new(TonicsServer, grpc_config())
        .named("tonic's `Server`")
        .concurrency_limit(STREAMS as usize)
}

fn irohs_router() -> Conformance {
    Conformance::new(IrohsRouter, iroh_config())
        .named("iroh's `Router`")
        .concurrency_limit(STREAMS as usize)
        .vanished_within(2 * IDLE)
        .without(
            Case::DrainRefuses,
            "while it shuts down, iroh's `Router` leaves new connections without an answer",
        )
}

fn grpc_over_unix(directory: &Path) -> Conformance {
    let directory = directory.to_owned();
    let next = AtomicUsize::new(0);
    let config = move || unix::Config {
        path: directory.join(format!("{}.sock", next.fetch_add(1, Ordering::Relaxed))),
        max_concurrent_streams: STREAMS,
        ..unix::Config::default()
    };
    Conformance::with(GrpcOverUnix, config).named("gRPC on a Unix socket").concurrency_limit(STREAMS as usize)
}

/// The cases about a size on the wire.
const SIZES: [Case; 9] = [
    Case::MetadataOverLimit,
    Case::MetadataOverClientsLimit,
    Case::RequestOverServers,
    Case::AnswerOverServers,
    Case::RequestOverClients,
    Case::AnswerOverClients,
    Case::MethodLimit,
    Case::GzipBomb,
    Case::ZstdBomb,
];

/// The cases about a server that ends without its clients.
const ENDS: [Case; 4] = [Case::NoServer, Case::ServerDies, Case::DrainRefuses, Case::DrainCut];

/// Why nothing is asked about a caller.
const WITHIN: &str = "a call within the process is allowed";

fn in_process() -> Conformance {
    let suite = Conformance::new(InProcess, InProcessConfig::default()).named("in process");
    let without = |suite: Conformance, cases: &[Case], reason: &str| {
        cases.iter().fold(suite, |suite, case| suite.without(*case, reason))
    };
    let suite = without(suite, &SIZES, "messages are not encoded, and have no size");
    let suite = without(suite, &ENDS, "the server ends with its client: they are one");
    suite
        .without(Case::ClientCodec, NOT_ENCODED)
        .without(Case::Caller, "the caller is the process itself")
        .without(Case::Connections, "there are no connections")
        .without(Case::Access, WITHIN)
        .without(Case::AccessEnds, WITHIN)
        .without(Case::Undecoded, WITHIN)
        .without(Case::Cause, OWN_PROCESS)
        .without(Case::DeadlineUnread, "a stream that is not read does not run")
}

/// What does not hold of a gateway, or not in so short a time.
fn of_a_gateway(suite: Conformance) -> Conformance {
    suite
        .without(Case::MetadataAtLimit, "a gateway adds an entry of its own")
        .without(Case::Memory, "both transports are asked by themselves")
        .concurrency_limit(STREAMS as usize)
        .vanished_within(2 * IDLE)
}

fn grpc_to_iroh() -> Conformance {
    let config = config::Iroh { max_concurrent_streams: 4 * STREAMS, ..iroh_config() };
    let way = BehindAGateway { front: Grpc, back: Arc::new(Iroh), config };
    of_a_gateway(Conformance::new(way, grpc_config()).named("gRPC to a gateway to Iroh"))
}

fn iroh_to_grpc() -> Conformance {
    let config = config::Grpc { max_concurrent_streams: 4 * STREAMS, ..grpc_config() };
    let way = BehindAGateway { front: Iroh, back: Arc::new(Grpc), config };
    of_a_gateway(Conformance::new(way, iroh_config()).named("Iroh to a gateway to gRPC"))
}

#[test]
fn every_other_way_conforms_as_the_documentation_says() {
    let directory = tempfile::tempdir().unwrap();
    let socket = grpc_over_unix(directory.path());
    let reports =
        run([tonics_server(), irohs_router(), socket, in_process(), grpc_to_iroh(), iroh_to_grpc()]);
    is_documented("## Other ways", &reports);
}
