//! `polywire-node cluster`.

use std::fmt::Write as _;

use clap::{Parser, Subcommand};
use polywire::{
    Target,
    cli::{Arguments, Command, CommandError, print},
};
use polywire_proto::cluster::v1;

use super::cluster::ClusterClient;
use crate::command_line::connect_options;

/// The command `cluster`, which forms and changes a cluster.
#[derive(Clone, Copy, Debug)]
pub struct ClusterCommand;

#[derive(Debug, Parser)]
#[command(about = ABOUT)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// The running node that is told to, where it is not named behind the command; grpc://127.0.0.1:7001 by default
    #[arg(long, global = true, value_name = "TARGET")]
    node: Option<Target>,
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
    Init(Told),
    /// Lets the node join the cluster of another; it must hold no data of its own
    Join {
        /// A target of any member of that cluster
        seed: Target,
        #[command(flatten)]
        told: Told,
    },
    /// Lets the node leave its cluster; its copy of the data goes
    Leave(Told),
    /// Shows the leader and the members
    Status(Told),
}

#[derive(Debug, clap::Args)]
struct Told {
    /// The running node that is told to; the same as --node
    #[arg(value_name = "TARGET")]
    target: Option<Target>,
}

/// Where a node listens that was started without a configuration.
const DEFAULT: &str = "grpc://127.0.0.1:7001";

impl Args {
    /// The node that is told to.
    fn node(&self) -> Result<Target, CommandError> {
        let (What::Init(told) | What::Join { told, .. } | What::Leave(told) | What::Status(told)) =
            &self.what;
        match (&told.target, &self.node) {
            (Some(_), Some(_)) => Err(CommandError::Usage(
                "the node is named twice; expected a TARGET behind the command, or --node".to_owned(),
            )),
            (Some(target), None) | (None, Some(target)) => Ok(target.clone()),
            (None, None) => DEFAULT.parse().map_err(|error| CommandError::Usage(format!("{error}"))),
        }
    }
}

impl Command for ClusterCommand {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn about(&self) -> &'static str {
        ABOUT
    }

    async fn run(&self, arguments: Arguments) -> Result<(), CommandError> {
        let args: Args = arguments.parse()?;
        let opened = args.node()?.open(&connect_options(args.ca)?).await?;
        let outcome = tell(&ClusterClient::new(opened.channel), args.what, args.json).await;
        opened.close.await;
        let text = outcome?;
        print(&format!("{text}\n"))
    }
}

/// Tells the node, and says how the cluster is then.
async fn tell(client: &ClusterClient, what: What, json: bool) -> Result<String, CommandError> {
    match what {
        What::Init(_) => {
            client.init(v1::InitRequest {}).await?;
        }
        What::Join { seed, .. } => {
            client.join(v1::JoinRequest { seed: seed.to_string() }).await?;
        }
        What::Leave(_) => {
            client.leave(v1::LeaveRequest {}).await?;
        }
        What::Status(_) => {}
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
    }
    text
}
