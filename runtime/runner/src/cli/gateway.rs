//! `gateway`.

use std::future::ready;

use super::{args::GatewayArgs, failure::Failure, flags::Flags, listen, reload::Source, serve};
use crate::{Node, Upstream, config::Loader};
use polywire_core::Target;

/// The defaults that differ from a node's, so that both can run on one machine: another address and another key.
const DEFAULTS: &str = r#"
    node.data_dir = "./polywire-gateway"
    http.bind_address = "127.0.0.1:0"
"#;

pub(super) async fn gateway(program: &str, args: GatewayArgs, flags: Flags) -> Result<(), Failure> {
    let flags = listen::configure(&args.listen, args.log.over(flags))?;
    let loader = Loader::new().text("the gateway's defaults", DEFAULTS);
    let over = args.targets.iter().map(Target::transport).collect();
    let source = Source::new(loader.gateway(over), args.config, flags);
    let (first, others) = args.targets.split_first().expect("clap asks for one");
    let mut upstream = others.iter().cloned().fold(Upstream::new(first.clone()), Upstream::or);
    if let Some(file) = args.ca {
        upstream = upstream.ca_file(file);
    }
    if !args.codec.is_empty() {
        upstream = upstream.codecs(args.codec);
    }
    let hint = codec_hint(&upstream);
    let node = ready(Ok(Node::builder().upstream(upstream)));
    let targets: Vec<_> = args.targets.iter().map(ToString::to_string).collect();
    serve::run(source, node, args.json, |node| {
        let guide = serve::guide(&serve::quoted(program), node.targets(), &hint);
        format!("calls are forwarded to {}\n{guide}", targets.join(" or "))
    })
    .await
}

/// The placeholder for a call's method, behind a `--codec` flag if the gateway forwards one codec only.
fn codec_hint(upstream: &Upstream) -> String {
    let codec = match upstream.passed_on() {
        [only] => format!("--codec {} ", only.name()),
        _ => String::new(),
    };
    format!("{codec}PACKAGE.SERVICE/METHOD")
}
