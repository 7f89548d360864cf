//! Serves the interoperability test service, as a node.

use std::{
    error::Error,
    future::Future,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::Parser;
use polywire::{
    Node,
    config::{Config, Loader},
};
use polywire_interop::{FILE_DESCRIPTOR_SET, implementation::Implementation, service::TestServiceServer};
use polywire_tests::pki::Pki;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// Serves the gRPC project's interoperability test service until SIGINT or SIGTERM, and prints one line of JSON
/// once everything listens: the node's id and targets.
///
/// Every key of a node's configuration is also a flag: --transport.mode=grpc.
#[derive(Debug, Parser)]
struct Args {
    /// The port of gRPC on loopback; 0 takes any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Encrypts gRPC, with a certificate made for this run
    #[arg(long)]
    tls: bool,
    /// Where to write the certificate of the authority that clients have to trust (PEM)
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca: Option<PathBuf>,
    /// A TOML file with the node's configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (keys, others): (Vec<String>, Vec<String>) = std::env::args().partition(|argument| is_key(argument));
    let args = Args::parse_from(others);
    let directory = tempfile::tempdir()?;
    let config = config(&args, &keys, &directory)?;
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.filter)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let shutdown = stopped()?;
    let node = polywire_services::node()
        .descriptors(FILE_DESCRIPTOR_SET)
        .service(TestServiceServer::new(Implementation))
        .config(config)
        .bind()
        .await?;
    announce(&node)?;
    node.serve(shutdown).await?;
    Ok(())
}

/// Whether the argument sets a key of the configuration: `--section.key=value`.
fn is_key(argument: &str) -> bool {
    let name = argument.strip_prefix("--").and_then(|argument| argument.split_once('='));
    name.is_some_and(|(name, _)| name.contains('.'))
}

/// The configuration, whose defaults are free ports and data that are gone with the process.
fn config(args: &Args, keys: &[String], directory: &TempDir) -> Result<Config, Box<dyn Error>> {
    let data = quoted(&directory.path().join("data"));
    let defaults =
        format!("node.data_dir = {data}\nhttp.bind_address = \"127.0.0.1:0\"\nlog.filter = \"warn\"");
    let mut loader = Loader::new().text("defaults", defaults).process_env();
    if let Some(file) = &args.config {
        loader = loader.file(file);
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    loader = loader.flag("transport.grpc.bind_address", address.to_string());
    if args.tls {
        let pki = Pki::new(directory.path());
        if let Some(ca) = &args.ca {
            std::fs::copy(&pki.authority, ca).map_err(|error| format!("--ca {}: {error}", ca.display()))?;
        }
        loader = loader
            .flag("transport.grpc.tls_enabled", "true")
            .flag("transport.grpc.tls_cert", pki.certificate.display().to_string())
            .flag("transport.grpc.tls_key", pki.key.display().to_string());
    }
    for key in keys {
        if let Some((key, value)) = key.trim_start_matches('-').split_once('=') {
            loader = loader.flag(key, value);
        }
    }
    Ok(loader.load()?.config)
}

/// A path as TOML writes it.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn announce(node: &Node) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(node.targets())?)?;
    stdout.flush()
}

/// Completes at SIGINT or SIGTERM. From when this returns, neither ends the process by itself.
fn stopped() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
