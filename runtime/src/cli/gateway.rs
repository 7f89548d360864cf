//! `gateway`.

use std::future::ready;

use super::{args::GatewayArgs, failure::Failure, flags::Flags, listen, serve, settings};
use crate::{Node, Upstream, config::Loader};

/// What is different from a node's defaults, so that the two run beside each other: at another place, with another
/// key.
const DEFAULTS: &str = r#"
    node.data_dir = "./polywire-gateway"
    http.bind_address = "127.0.0.1:0"
"#;

pub(super) async fn gateway(program: &str, args: GatewayArgs, flags: Flags) -> Result<(), Failure> {
    let flags = listen::configure(&args.listen, args.log.over(flags))?;
    let loader = Loader::new().text("the gateway's defaults", DEFAULTS);
    let loaded = settings::load_over(loader, &args.config, flags)?;
    let mut upstream = Upstream::new(args.target.clone());
    if let Some(file) = args.ca {
        upstream = upstream.ca_file(file);
    }
    if !args.codec.is_empty() {
        upstream = upstream.codecs(args.codec);
    }
    let hint = codec_hint(&upstream);
    let node = ready(Ok(Node::builder().upstream(upstream)));
    serve::run(loaded, node, |node| match args.json {
        true => serve::print_json(node.targets()),
        false => {
            eprintln!("calls are passed on to {}", args.target);
            eprint!("{}", serve::guide(&serve::quoted(program), node.targets(), &hint));
            Ok(())
        }
    })
    .await
}

/// A call's method, and before it the codec that it must be in where only one is passed on.
fn codec_hint(upstream: &Upstream) -> String {
    let codec = match upstream.passed_on() {
        [only] => format!("--codec {} ", only.name()),
        _ => String::new(),
    };
    format!("{codec}PACKAGE.SERVICE/METHOD")
}
