//! Reloads the configuration of a running node.

use std::{fs, path::PathBuf};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};

use super::{args::ConfigArgs, flags::Flags, settings};
use crate::{
    config::{Config, ConfigError, Issuers, JwtIssuers, Loaded, Loader, Log, LogFormat},
    node::{Parts, access},
};
use polywire_core::__runner::Watched;

/// The source of a node's configuration, which can be read again.
#[derive(Clone)]
pub(super) struct Source {
    base: Loader,
    args: ConfigArgs,
    flags: Flags,
}

impl Source {
    /// The given file and flags, above the layers of the loader.
    pub(super) fn new(base: Loader, args: ConfigArgs, flags: Flags) -> Self {
        Self { base, args, flags }
    }

    /// Reads the configuration.
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        self.loader().load()
    }

    /// The configured log format, read before the rest, so that errors in the rest are logged in this format.
    pub(super) fn log_format(&self) -> LogFormat {
        self.loader().peek("log.format").unwrap_or(Log::default().format)
    }

    fn loader(&self) -> Loader {
        settings::loader(self.base.clone(), &self.args, self.flags.clone())
    }

    /// The current state of the file. Take it before reading the file, so that no change in between is missed.
    pub(super) fn look(&self) -> Look {
        Look { file: Watched::new(self.file().cloned()), is_empty: self.is_empty() }
    }

    /// The file, if there is one.
    fn file(&self) -> Option<&PathBuf> {
        self.args.config.as_ref()
    }

    /// Whether the file exists and is empty.
    fn is_empty(&self) -> bool {
        let text = self.file().and_then(|file| fs::read_to_string(file).ok());
        text.is_some_and(|text| text.trim().is_empty())
    }
}

/// The state of a configuration file at the time of reading.
pub(super) struct Look {
    file: Watched,
    /// Whether it was empty.
    is_empty: bool,
}

/// Applies changes of the configuration to a running node at each SIGHUP and each change of its file, until dropped. An
/// invalid configuration is refused, and the previous one stays.
pub(super) struct Reloading(JoinHandle<()>);

/// The component's name in `/readyz?verbose` and the log.
const COMPONENT: &str = "configuration";

impl Reloading {
    /// Starts with the configuration that the node was started with.
    ///
    /// # Errors
    /// If the signal handler cannot be installed.
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
                parts.jwts.read_again();
                file.settle().await;
            }
            () = file.changed() => {}
        }
        // Reading a file blocks the thread.
        let (reading, known) = (source.clone(), current.access.jwt.clone());
        match tokio::task::spawn_blocking(move || read(&reading, was_empty, &known)).await {
            Ok(Ok(Read { loaded, is_empty, issuers })) => {
                if let Err(error) = parts.check_access(&loaded.config) {
                    refuse(&loaded.placed(error).to_string(), &parts);
                    continue;
                }
                was_empty = is_empty;
                loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                parts.warn_of_names(&loaded);
                if let Some(issuers) = issuers {
                    parts.jwts.set(issuers);
                }
                apply(&loaded.config, &current, &parts);
                current.transport.strategy = loaded.config.transport.strategy;
                current.access = loaded.config.access;
            }
            Ok(Err(problem)) => refuse(&problem, &parts),
            Err(panic) => refuse(&panic.to_string(), &parts),
        }
    }
}

/// A configuration that was read again.
struct Read {
    loaded: Loaded,
    /// Whether its file is empty.
    is_empty: bool,
    /// The issuers of its `access.jwt`, if they are others than before.
    issuers: Option<Issuers>,
}

/// The current configuration.
///
/// A file that becomes empty is half-written or truncated by mistake. It is refused, as it would reset every key to its
/// default.
fn read(source: &Source, was_empty: bool, known: &JwtIssuers) -> Result<Read, String> {
    let is_empty = source.is_empty();
    if is_empty && !was_empty {
        let file = source.file().map(|file| file.display().to_string()).unwrap_or_default();
        return Err(format!("{file}: is empty; expected keys, or a comment if all defaults are intended"));
    }
    let loaded = source.load().map_err(|error| error.to_string())?;
    let issuers = (loaded.config.access.jwt != *known).then(|| loaded.config.issuers()).transpose();
    let issuers = issuers.map_err(|error| loaded.placed(error).to_string())?;
    Ok(Read { loaded, is_empty, issuers })
}

fn apply(new: &Config, current: &Config, parts: &Parts) {
    parts.policies.set(new.transport.strategy.policies());
    if new.access != current.access {
        parts.access.replace_rules(new.access.rules());
        access::announce(&parts.access);
    }
    let mut rest = new.clone();
    rest.transport.strategy = current.transport.strategy.clone();
    rest.access = current.access.clone();
    rest.transport.strategy.retired_on_grpc = new.transport.strategy.retired_on_grpc.clone();
    let note = (rest != *current).then(|| {
        "all changes outside of transport.strategy and access take effect at the next restart".to_owned()
    });
    match &note {
        None => {
            tracing::info!(
                "the configuration was reloaded: transport.strategy and access apply from the next call on"
            )
        }
        Some(note) => tracing::warn!("the configuration was reloaded: {note}"),
    }
    parts.health.note(COMPONENT, note);
}

fn refuse(problem: &str, parts: &Parts) {
    tracing::error!(%problem, "the changed configuration is refused; the node keeps the previous one");
    parts
        .health
        .note(COMPONENT, Some(format!("the changed one is refused, the previous one applies: {problem}")));
}
