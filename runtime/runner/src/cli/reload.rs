//! What of the configuration may change while the node runs.

use std::{fs, path::PathBuf};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};

use super::{args::ConfigArgs, flags::Flags, settings};
use crate::{
    config::{Config, ConfigError, Loaded, Loader, Log, LogFormat},
    node::Parts,
};
use polywire_core::__runner::Watched;

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
        self.loader().load()
    }

    /// In which form it wants the log, as far as that can be told before it is read: what is wrong with the rest is said
    /// in this form.
    pub(super) fn log_format(&self) -> LogFormat {
        self.loader().peek("log.format").unwrap_or(Log::default().format)
    }

    fn loader(&self) -> Loader {
        settings::loader(self.base.clone(), &self.args, self.flags.clone())
    }

    /// How the file is now; to be asked before it is read, so that no change in between is missed.
    pub(super) fn look(&self) -> Look {
        Look { file: Watched::new(self.file().cloned()), is_empty: self.is_empty() }
    }

    /// The file, where there is one.
    fn file(&self) -> Option<&PathBuf> {
        self.args.config.as_ref()
    }

    /// Whether there is a file with nothing in it.
    fn is_empty(&self) -> bool {
        let text = self.file().and_then(|file| fs::read_to_string(file).ok());
        text.is_some_and(|text| text.trim().is_empty())
    }
}

/// How a configuration's file was when it was read.
pub(super) struct Look {
    file: Watched,
    /// Whether there was nothing in it.
    is_empty: bool,
}

/// Applies changes of the configuration to a running node, at each SIGHUP and whenever its file has changed, until it is
/// dropped. What cannot be used is refused, and what was there before stays.
pub(super) struct Reloading(JoinHandle<()>);

/// What `/readyz?verbose` and the log call it.
const COMPONENT: &str = "configuration";

impl Reloading {
    /// Begins with what the node was started with.
    ///
    /// # Errors
    /// When the signal cannot be listened for.
    pub(super) fn start(source: Source, look: Look, parts: Parts) -> std::io::Result<Self> {
        let hangups = signal(SignalKind::hangup())?;
        Ok(Self(tokio::spawn(follow(source, look, parts, hangups))))
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn follow(source: Source, look: Look, parts: Parts, mut hangups: Signal) {
    let Look { mut file, is_empty: mut was_empty } = look;
    let mut current = parts.config.as_ref().clone();
    loop {
        tokio::select! {
            _ = hangups.recv() => {
                parts.certificates.read_again();
                file.settle().await;
            }
            () = file.changed() => {}
        }
        // Reading a file may block, and takes no longer than the disk.
        let reading = source.clone();
        match tokio::task::spawn_blocking(move || read(&reading, was_empty)).await {
            Ok(Ok((loaded, is_empty))) => {
                was_empty = is_empty;
                apply(&loaded.config, &current, &parts);
                current.transport.strategy = loaded.config.transport.strategy;
            }
            Ok(Err(problem)) => refuse(&problem, &parts),
            Err(panic) => refuse(&panic.to_string(), &parts),
        }
    }
}

/// The configuration as it is now, and whether its file is empty.
///
/// A file that had something in it and is empty is one whose writer has not come to its end, or that was emptied by
/// mistake: all that it said would fall back to defaults.
fn read(source: &Source, was_empty: bool) -> Result<(Loaded, bool), String> {
    let is_empty = source.is_empty();
    if is_empty && !was_empty {
        let file = source.file().map(|file| file.display().to_string()).unwrap_or_default();
        return Err(format!("{file}: is empty; expected keys, or a comment where all defaults are meant"));
    }
    let loaded = source.load().map_err(|error| error.to_string())?;
    Ok((loaded, is_empty))
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
