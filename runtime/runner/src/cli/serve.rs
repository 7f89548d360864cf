//! `serve`.

use std::{
    future::{Future, ready},
    pin::pin,
    time::Duration,
};

use tokio::sync::Mutex;

use super::{
    args::ServeArgs,
    crash,
    failure::Failure,
    flags::Flags,
    interrupt::Interrupt,
    log,
    node::Made,
    print,
    reload::{Reloading, Source},
    traces::Traces,
};
use crate::{
    Node, NodeError,
    config::Loader,
    node::{End, Targets},
};
use polywire_core::{__runner::panic, Service as _, ServiceInfo, Shape};

pub(super) async fn serve(
    program: &str,
    args: ServeArgs,
    flags: Flags,
    node: impl Future<Output = Made>,
) -> Result<(), Failure> {
    let mut flags = args.log.over(flags);
    if args.insecure {
        flags.push(("access.insecure".to_owned(), "true".into()));
    }
    let source = Source::new(Loader::new(), args.config, flags);
    run(source, node, args.json, |node| {
        let example = example(&node.parts().router.services());
        guide(&quoted(program), node.targets(), &example)
    })
    .await
}

/// Runs a node of the source's configuration until a signal. It announces its targets with one line of JSON on stdout, or
/// with the given text for people on stderr.
pub(super) async fn run(
    source: Source,
    node: impl Future<Output = Made>,
    json: bool,
    words: impl FnOnce(&Node) -> String,
) -> Result<(), Failure> {
    panic::install_hook();
    crate::node::raise_limit();
    let format = source.log_format();
    let say = |node: &Node| match json {
        true => print_json(node.targets()),
        false if log::is_human(format) => {
            print::notes(words(node));
            Ok(())
        }
        false => {
            let Targets { node_id, transports, http } = node.targets();
            tracing::info!(node_id, ?transports, http, "the node listens");
            Ok(())
        }
    };
    run_logging(source, node, say).await.map_err(|failure| log::report(failure, format))
}

async fn run_logging(
    source: Source,
    node: impl Future<Output = Made>,
    say: impl FnOnce(&Node) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let look = source.look();
    let loaded = source.load().map_err(Failure::other)?;
    let traces = Traces::start(&loaded.config)?;
    log::init(&loaded, traces.as_ref())?;
    crash::end_at_panics_below();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    // Registered before the node announces itself, so that no signal is missed.
    let mut interrupt = Interrupt::new().map_err(Failure::other)?;
    let starting = async {
        let builder = node.await.map_err(Failure::Other)?;
        let bound = builder.config(loaded.config.clone()).bind().await;
        bound.map_err(|error| match error {
            NodeError::Config(error) => Failure::other(loaded.placed(error)),
            error => Failure::other(error),
        })
    };
    let mut starting = pin!(starting);
    let Some(node) = interrupt.before(starting.as_mut()).await else {
        tracing::info!("the node stops before it has started");
        // Closes what is already bound.
        if let Ok(Ok(node)) = tokio::time::timeout(STARTING, starting).await {
            return node.serve(ready(())).await.map_err(Failure::other);
        }
        return Ok(());
    };
    let node = node?;
    node.parts().warn_of_names(&loaded);
    let _reloading = Reloading::start(source, look, node.parts().clone()).map_err(Failure::other)?;
    say(&node)?;
    let outcome = until_stopped(node, interrupt).await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    outcome
}

/// The time that a node which is stopped during its start has to finish starting, so that it stops in order.
const STARTING: Duration = Duration::from_secs(1);

/// Serves until the first signal. The second ends the current wait of the drain, and the third the process.
async fn until_stopped(node: Node, interrupt: Interrupt) -> Result<(), Failure> {
    let interrupt = &Mutex::new(interrupt);
    let first = async {
        interrupt.lock().await.next().await;
        tracing::info!("the node drains: calls in flight may finish; a second signal cuts them");
    };
    let hurry = || async { interrupt.lock().await.next().await };
    let ended = node.serve_until(first, hurry).await.map_err(Failure::other)?;
    match ended {
        End::InTime => Ok(()),
        End::Hurried => {
            tracing::warn!("a signal cut calls in flight");
            Err(Failure::Exit(1))
        }
    }
}

fn print_json(targets: &Targets) -> Result<(), Failure> {
    let json = serde_json::to_string(targets).map_err(Failure::other)?;
    print::answer(&format!("{json}\n"))
}

/// Commands that call the node, ready to paste except for the CA file.
pub(super) fn guide(program: &str, targets: &Targets, example: &str) -> String {
    let mut text = format!("node {} listens; call it with\n", targets.node_id);
    for (_, target) in &targets.transports {
        // A target with a key is trusted for it.
        let needs_authority = target.starts_with("grpcs://") && !target.contains("?key=");
        let authority = if needs_authority { "--ca FILE " } else { "" };
        // Quoted: `?` and `&` are special to a shell.
        text += &format!("  {program} call {authority}'{target}' {example}\n");
    }
    if let Some(http) = &targets.http {
        text += &format!("  curl {http}/metrics\n");
    }
    text
}

/// Quotes a word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "/._-+:@%".contains(character);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A method for the example: that of the directory if it is served, otherwise the first unary one.
fn example(services: &[ServiceInfo]) -> String {
    let methods = || services.iter().flat_map(ServiceInfo::methods);
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
            transports: vec![
                ("grpc", "grpc://127.0.0.1:7001".to_owned()),
                ("iroh", "iroh://abc?addr=127.0.0.1:1&addr=[::1]:1".to_owned()),
            ],
            http: None,
        };
        assert_eq!(
            guide("demo", &targets, "a.A/Get"),
            "node abc listens; call it with\n  \
             demo call 'grpc://127.0.0.1:7001' a.A/Get\n  \
             demo call 'iroh://abc?addr=127.0.0.1:1&addr=[::1]:1' a.A/Get\n"
        );
    }

    #[test]
    fn under_tls_the_guide_asks_for_the_authority() {
        let transports = vec![("grpc", "grpcs://127.0.0.1:7001".to_owned())];
        let targets = Targets { transports, ..Targets::default() };
        let guide = guide("demo", &targets, "a.A/Get");
        assert!(guide.contains("  demo call --ca FILE 'grpcs://127.0.0.1:7001' a.A/Get\n"), "{guide}");
        let transports = vec![("grpc", "grpcs://127.0.0.1:7001?key=abc".to_owned())];
        let targets = Targets { transports, ..Targets::default() };
        let guide = super::guide("demo", &targets, "a.A/Get");
        assert!(guide.contains("  demo call 'grpcs://127.0.0.1:7001?key=abc' a.A/Get\n"), "{guide}");
    }

    #[test]
    fn the_program_is_named_as_it_was_called() {
        assert_eq!(quoted("./target/debug/demo"), "./target/debug/demo");
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
