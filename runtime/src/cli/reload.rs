//! What of the configuration may change while the node runs.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};

use super::{args::ConfigArgs, flags::Flags, settings};
use crate::{
    config::{Config, ConfigError, Loaded, Loader},
    node::Parts,
};

/// Where a node's configuration came from, to be read again.
#[derive(Clone)]
pub(super) struct Source {
    base: Loader,
    args: ConfigArgs,
    flags: Flags,
}

impl Source {
    /// These arguments, above what the loader has.
    pub(super) fn new(base: Loader, args: ConfigArgs, flags: Flags) -> Self {
        Self { base, args, flags }
    }

    /// Reads all of it.
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        settings::load_over(self.base.clone(), &self.args, self.flags.clone())
    }
}

/// Applies changes of the configuration to a running node, at each SIGHUP and whenever its file has changed, until it is
/// dropped. What cannot be used is refused, and what was there before stays.
pub(super) struct Reloading(JoinHandle<()>);

/// How often the file is looked at. It is looked at and not watched, so that it may be a link that is changed, as those of
/// Kubernetes' ConfigMaps are, or on a file system that reports nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// What `/readyz?verbose` and the log call it.
const COMPONENT: &str = "configuration";

impl Reloading {
    /// Begins with what the node was started with.
    ///
    /// # Errors
    /// When the signal cannot be listened for.
    pub(super) fn start(source: Source, parts: Parts) -> std::io::Result<Self> {
        let hangups = signal(SignalKind::hangup())?;
        Ok(Self(tokio::spawn(follow(source, parts, hangups))))
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn follow(source: Source, parts: Parts, mut hangups: Signal) {
    let mut seen = source.args.config.as_deref().and_then(stamp);
    let mut current = parts.config.as_ref().clone();
    loop {
        tokio::select! {
            _ = hangups.recv() => seen = source.args.config.as_deref().and_then(stamp),
            () = tokio::time::sleep(INTERVAL) => {
                let now = source.args.config.as_deref().and_then(stamp);
                if now == seen {
                    continue;
                }
                seen = now;
            }
        }
        // Reading a file may block, and takes no longer than the disk.
        let reading = source.clone();
        match tokio::task::spawn_blocking(move || reading.load()).await {
            Ok(Ok(loaded)) => {
                apply(&loaded.config, &current, &parts);
                current.transport.strategy = loaded.config.transport.strategy;
            }
            Ok(Err(error)) => refuse(&error.to_string(), &parts),
            Err(panic) => refuse(&panic.to_string(), &parts),
        }
    }
}

fn apply(new: &Config, current: &Config, parts: &Parts) {
    parts.policies.set(new.transport.strategy.policies());
    let mut rest = new.clone();
    rest.transport.strategy = current.transport.strategy.clone();
    rest.transport.strategy.retired_on_grpc = new.transport.strategy.retired_on_grpc.clone();
    let note = (rest != *current)
        .then(|| "of what has changed, everything but transport.strategy waits for a restart".to_owned());
    match &note {
        None => {
            tracing::info!("the configuration was read again: transport.strategy holds from the next call on")
        }
        Some(note) => tracing::warn!("the configuration was read again: {note}"),
    }
    parts.health.note(COMPONENT, note);
}

fn refuse(problem: &str, parts: &Parts) {
    tracing::error!(%problem, "the changed configuration is refused, and the node goes on with the one before");
    parts
        .health
        .note(COMPONENT, Some(format!("the changed one is refused, the one before holds: {problem}")));
}

/// By which it shows that a file is another.
fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
