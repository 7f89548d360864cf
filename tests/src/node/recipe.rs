use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::PathBuf,
};

use tokio::process::Command;

use super::Targets;

/// How a node was started.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    directory: Option<PathBuf>,
}

impl Recipe {
    /// That of this command, but for what it does to its pipes and the user it runs as.
    pub(super) fn of(command: &Command) -> Self {
        let command = command.as_std();
        let owned = |(name, value): (&OsStr, Option<&OsStr>)| (name.to_owned(), value.map(OsStr::to_owned));
        Self {
            program: command.get_program().to_owned(),
            arguments: command.get_args().map(OsStr::to_owned).collect(),
            variables: command.get_envs().map(owned).collect(),
            directory: command.get_current_dir().map(PathBuf::from),
        }
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    /// The same on the ports that are in these targets.
    pub(super) fn on_the_ports_of(mut self, targets: &Targets) -> Self {
        let others = targets.others.iter();
        let addresses = others.map(|(name, target)| (format!("transport.{name}.bind_address"), target));
        let grpc = targets.grpc.iter().map(|target| ("transport.grpc.bind_address".to_owned(), target));
        let http = targets.http.iter().map(|target| ("http.bind_address".to_owned(), target));
        for (key, target) in addresses.chain(grpc).chain(http) {
            if let Some(address) = authority(target) {
                self.set(&key, address);
            }
        }
        if let Some(port) = targets.iroh.as_deref().and_then(iroh_port) {
            self.set("transport.iroh.discovery_port", &port);
        }
        self
    }

    fn set(&mut self, key: &str, value: &str) {
        let flag = format!("--{key}=");
        self.arguments
            .retain(|argument| !argument.to_str().is_some_and(|argument| argument.starts_with(&flag)));
        self.arguments.push((flag + value).into());
    }
}

/// The host and port of a target that has them.
fn authority(target: &str) -> Option<&str> {
    let (_, behind) = target.split_once("://")?;
    let authority = behind.split(['/', '?']).next()?;
    authority.contains(':').then_some(authority)
}

/// The UDP port of the first address of an `iroh://` target.
fn iroh_port(target: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let address = query.split('&').find_map(|pair| pair.strip_prefix("addr="))?;
    let address: SocketAddr = address.parse().ok()?;
    Some(address.port().to_string())
}
