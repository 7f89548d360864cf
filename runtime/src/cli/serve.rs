//! `serve`.

use std::{
    future::Future,
    io::{self, Write as _},
};

use super::{
    args::ServeArgs, failure::Failure, flags::Flags, interrupt::Interrupt, log, node::Made, settings,
};
use crate::{
    Shape,
    node::{ServiceOverview, Targets},
};

pub(super) async fn serve(
    name: &str,
    args: ServeArgs,
    flags: Flags,
    node: impl Future<Output = Made>,
) -> Result<(), Failure> {
    let loaded = settings::load(&args.config, flags)?;
    log::init(&loaded.config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    // Before anybody learns that the node listens, and may want to stop it.
    let interrupt = Interrupt::new().map_err(Failure::other)?;
    let builder = node.await.map_err(Failure::Other)?;
    let example = example(&builder.overview(&loaded.config));
    let node = builder.config(loaded.config).bind().await.map_err(Failure::other)?;
    match args.json {
        true => print_json(node.targets()).map_err(Failure::other)?,
        false => eprint!("{}", guide(name, node.targets(), &example)),
    }
    node.serve(stopped(interrupt)).await;
    Ok(())
}

/// Returns at the first signal. At a second one the process ends, whatever is still under way.
async fn stopped(mut interrupt: Interrupt) {
    interrupt.next().await;
    tracing::info!("stopping: calls in flight may finish; a second signal ends them");
    tokio::spawn(async move {
        interrupt.next().await;
        tracing::warn!("stopped by a second signal");
        std::process::exit(1);
    });
}

fn print_json(targets: &Targets) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(targets)?)?;
    stdout.flush()
}

/// How the node is called, ready to paste.
fn guide(name: &str, targets: &Targets, example: &str) -> String {
    let mut text = format!("node {} listens; call it with\n", targets.node_id);
    for target in targets.grpc.iter().chain(&targets.iroh) {
        // A shell would take `?` and `&` of a target for its own.
        text += &format!("  {name} call '{target}' {example}\n");
    }
    if let Some(http) = &targets.http {
        text += &format!("  curl {http}/metrics\n");
    }
    text
}

/// A method that can be called without a thought: that of the directory, if it is served, else the first
/// unary one.
fn example(services: &[ServiceOverview]) -> String {
    let methods = || services.iter().flat_map(|service| service.info.methods());
    let method = methods()
        .find(|method| method.path() == super::directory::LIST)
        .or_else(|| methods().find(|method| method.shape() == Shape::Unary));
    method.map_or("PACKAGE.SERVICE/METHOD", |method| method.path().trim_start_matches('/')).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_has_a_line_for_each_transport_that_is_on() {
        let targets = Targets {
            node_id: "abc".to_owned(),
            grpc: Some("grpc://127.0.0.1:7001".to_owned()),
            iroh: Some("iroh://abc?addr=127.0.0.1:1&addr=[::1]:1".to_owned()),
            http: None,
        };
        assert_eq!(
            guide("demo", &targets, "a.A/Get"),
            "node abc listens; call it with\n  \
             demo call 'grpc://127.0.0.1:7001' a.A/Get\n  \
             demo call 'iroh://abc?addr=127.0.0.1:1&addr=[::1]:1' a.A/Get\n"
        );
    }
}
