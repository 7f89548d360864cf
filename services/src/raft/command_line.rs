//! `polywire-node cluster`.

use std::{fmt::Write as _, io::Write as _};

use clap::{Parser, Subcommand};
use polywire::{
    ConnectOptions, Target,
    cli::{Arguments, Command, CommandError},
};
use polywire_proto::cluster::v1;

use super::cluster::ClusterClient;

/// The command `cluster`, which forms and changes a cluster.
#[derive(Clone, Copy, Debug)]
pub struct ClusterCommand;

#[derive(Debug, Parser)]
#[command(about = ABOUT, disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// The running node that is told to
    #[arg(long, global = true, value_name = "TARGET", default_value = "grpc://127.0.0.1:7001")]
    node: Target,
    /// Prints JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Trusts these certificate authorities (PEM) of a grpcs:// node instead of the system's
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<std::path::PathBuf>,
}

const ABOUT: &str = "Forms and changes a cluster, and shows how it is";

#[derive(Debug, Subcommand)]
enum What {
    /// Lets a node that waits for its peers form a cluster of its own at once
    Init,
    /// Lets the node join the cluster of another; it must hold no data of its own
    Join {
        /// A target of any member of that cluster
        seed: Target,
    },
    /// Lets the node leave its cluster; its copy of the data goes
    Leave,
    /// Shows the leader and the members
    Status,
}

impl Command for ClusterCommand {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn about(&self) -> &'static str {
        ABOUT
    }

    async fn run(&self, arguments: Arguments) -> Result<(), CommandError> {
        let named = std::iter::once(arguments.invoked.into()).chain(arguments.rest);
        let args = Args::try_parse_from(named).map_err(|error| match error.use_stderr() {
            true => CommandError::Usage(error.to_string().trim_start_matches("error: ").to_owned()),
            false => CommandError::Help(error.to_string()),
        })?;
        let mut options = ConnectOptions::new();
        if let Some(ca) = args.ca {
            options = options.ca_file(ca);
        }
        let opened = args.node.open(&options).await?;
        let outcome = tell(&ClusterClient::new(opened.channel), args.what, args.json).await;
        opened.close.await;
        let text = outcome?;
        // Nobody is left to tell when stdout is closed.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
        Ok(())
    }
}

/// Tells the node, and says how the cluster is then.
async fn tell(client: &ClusterClient, what: What, json: bool) -> Result<String, CommandError> {
    match what {
        What::Init => {
            client.init(v1::InitRequest {}).await?;
        }
        What::Join { seed } => {
            client.join(v1::JoinRequest { seed: seed.to_string() }).await?;
        }
        What::Leave => {
            client.leave(v1::LeaveRequest {}).await?;
        }
        What::Status => {}
    }
    let status = client.status(v1::StatusRequest {}).await?;
    match json {
        true => serde_json::to_string(&Shown::of(&status)).map_err(|error| CommandError::Other(error.into())),
        false => Ok(table(&status)),
    }
}

/// The cluster, as JSON. Ids are text, for many readers of JSON have no integers of 64 bits.
#[derive(serde::Serialize)]
struct Shown<'a> {
    node_id: Option<String>,
    leader_id: Option<String>,
    term: u64,
    initialized: bool,
    cluster_id: &'a str,
    last_log_index: u64,
    applied_index: u64,
    members: Vec<ShownMember<'a>>,
}

#[derive(serde::Serialize)]
struct ShownMember<'a> {
    id: String,
    name: &'a str,
    role: &'static str,
    endpoint_id: &'a str,
    targets: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    conflict: &'a str,
}

impl<'a> Shown<'a> {
    fn of(status: &'a v1::StatusResponse) -> Self {
        Self {
            node_id: status.this.as_ref().map(|this| this.id.to_string()),
            leader_id: status.leader_id.map(|id| id.to_string()),
            term: status.term,
            initialized: status.initialized,
            cluster_id: &status.cluster_id,
            last_log_index: status.last_log_index,
            applied_index: status.applied_index,
            members: status
                .members
                .iter()
                .map(|member| ShownMember {
                    id: member.id.to_string(),
                    name: &member.name,
                    role: role(status, member),
                    endpoint_id: &member.endpoint_id,
                    targets: &member.targets,
                    conflict: &member.conflict,
                })
                .collect(),
        }
    }
}

fn role(status: &v1::StatusResponse, member: &v1::Member) -> &'static str {
    match (status.leader_id == Some(member.id), member.voter) {
        (true, _) => "leader",
        (false, true) => "follower",
        (false, false) => "learner",
    }
}

fn table(status: &v1::StatusResponse) -> String {
    if let Some(this) = status.this.as_ref().filter(|this| !this.conflict.is_empty()) {
        return format!("this node is kept out of its cluster: {}", this.conflict);
    }
    let name = |id: u64| status.members.iter().find(|member| member.id == id).map(|member| &member.name);
    let leader = match status.leader_id {
        None => "none".to_owned(),
        Some(id) => name(id).cloned().unwrap_or_else(|| id.to_string()),
    };
    if !status.initialized {
        return "this node is in no cluster yet".to_owned();
    }
    let mut text = format!(
        "leader {leader}, term {}, last entry {}, applied {}",
        status.term, status.last_log_index, status.applied_index
    );
    for member in &status.members {
        let this = status.this.as_ref().is_some_and(|this| this.id == member.id);
        let mark = if this { "*" } else { " " };
        let role = role(status, member);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{mark} {:<20} {role:<8} {:<12}", member.id, member.name);
        for target in &member.targets {
            let _ = write!(text, " {target}");
        }
        if !member.conflict.is_empty() {
            let _ = write!(text, "\n    {}", member.conflict);
        }
    }
    text
}
