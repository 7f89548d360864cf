//! `gateway`.

use std::future::ready;

use super::{args::GatewayArgs, failure::Failure, flags::Flags, listen, reload::Source, serve};
use crate::{
    Node, Upstream,
    config::{Config, Loader},
};
use polywire_core::{__runner::leads_here, Target};

/// The defaults that differ from a node's, so that both can run on one machine: another address and another key.
const DEFAULTS: &str = r#"
    node.data_dir = "./polywire-gateway"
    http.bind_address = "127.0.0.1:0"
"#;

pub(super) async fn gateway(program: &str, args: GatewayArgs, flags: Flags) -> Result<(), Failure> {
    let mut flags = listen::configure(&args.listen, args.log.over(flags))?;
    if args.insecure {
        flags.push(("access.insecure".to_owned(), "true".into()));
    }
    if !args.allow.is_empty() {
        let who: Vec<_> = args.allow.iter().map(ToString::to_string).collect();
        // To a gateway all methods are the application's: it knows none of them.
        flags.push((
            "access.allow".to_owned(),
            format!("[{{ who = {who:?}, what = [\"application\"] }}]").into(),
        ));
    }
    let loader = Loader::new().text("the gateway's defaults", DEFAULTS);
    let over = args.targets.iter().map(Target::transport).collect();
    let source = Source::new(loader.gateway(over), args.config, flags);
    if let Ok(loaded) = source.load() {
        check(&args.targets, &loaded.config)?;
    }
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

/// Checks that a gateway which opens what is local to other machines says to which callers.
fn check(targets: &[Target], config: &Config) -> Result<(), Failure> {
    let says = config.access.insecure || !config.access.allow.0.is_empty();
    let opened = targets.iter().find(|target| leads_here(target));
    let Some(target) = opened.filter(|_| !says && config.transport.is_reached_from_elsewhere()) else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "the gateway would open {target}, which is local, to other machines; expected --allow IDENTITY for the callers that \
         may use it, such as --allow key:NODE_ID, or --insecure for all"
    )))
}

/// The placeholder for a call's method, behind a `--codec` flag if the gateway forwards one codec only.
fn codec_hint(upstream: &Upstream) -> String {
    let codec = match upstream.passed_on() {
        [only] => format!("--codec {} ", only.name()),
        _ => String::new(),
    };
    format!("{codec}PACKAGE.SERVICE/METHOD")
}
