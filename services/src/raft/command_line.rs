//! `polywire-node cluster`.

use std::io::Write as _;

use clap::{Parser, Subcommand};
use polywire::{
    Channel, ConnectOptions, Status, Target,
    cli::{Arguments, Command, CommandError},
};
use polywire_proto::{cluster::v1, status::v1::GetClusterStatusRequest};

use super::{cluster::ClusterClient, command_table::Seen};
use crate::status::StatusClient;

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
    /// Shows the members' ids too
    #[arg(short, long, global = true)]
    verbose: bool,
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
    /// Takes a member out of the cluster, also one that is gone for good
    Remove {
        /// Its name or its id, as `status -v` shows them
        #[arg(value_name = "NAME|ID")]
        member: String,
    },
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
        let shape = if args.json { Shape::Json } else { Shape::Table { verbose: args.verbose } };
        let outcome = tell(&opened.channel, args.what, shape).await;
        opened.close.await;
        let text = outcome?;
        // Nobody is left to tell when stdout is closed.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
        Ok(())
    }
}

/// Tells the node, and says how the cluster is then.
async fn tell(channel: &Channel, what: What, shape: Shape) -> Result<String, CommandError> {
    let client = ClusterClient::new(channel.clone());
    match what {
        What::Init => {
            client.init(v1::InitRequest {}).await?;
        }
        What::Join { seed } => {
            let joined = client.join(v1::JoinRequest { seed: seed.to_string() }).await?;
            if joined.already_member {
                let problem =
                    format!("this node is a member of the cluster of {seed} already; nothing was done");
                return Err(Status::already_exists(problem).into());
            }
        }
        What::Leave => {
            client.leave(v1::LeaveRequest {}).await?;
        }
        What::Remove { member } => remove(&client, &seen(channel).await?, &member).await?,
        What::Status => {}
    }
    let seen = seen(channel).await?;
    match shape {
        Shape::Json => seen.json().map_err(|error| CommandError::Other(error.into())),
        Shape::Table { verbose } => Ok(seen.table(verbose)),
    }
}

/// How the cluster is shown.
#[derive(Clone, Copy)]
enum Shape {
    Json,
    Table { verbose: bool },
}

/// What the node knows, and how its leader sees the members: a node that cannot say that says the rest.
async fn seen(channel: &Channel) -> Result<Seen, CommandError> {
    let own = ClusterClient::new(channel.clone()).status(v1::StatusRequest {}).await?;
    let by_leader = StatusClient::new(channel.clone()).get_cluster_status(GetClusterStatusRequest {}).await;
    Ok(Seen { own, by_leader: by_leader.unwrap_or_default() })
}

/// Takes the member with this name or id out.
async fn remove(client: &ClusterClient, seen: &Seen, member: &str) -> Result<(), CommandError> {
    let id = match *seen.find(member) {
        [found] => found.id,
        [] => {
            let problem = format!("no member {member:?}; the members are {}", seen.names());
            return Err(Status::not_found(problem).into());
        }
        ref several => {
            let ids: Vec<_> = several.iter().map(|member| member.id.to_string()).collect();
            let problem = format!(
                "{} members are called {member:?}: name one by its id, {}",
                ids.len(),
                ids.join(" or ")
            );
            return Err(CommandError::Usage(problem));
        }
    };
    client.remove_member(v1::RemoveMemberRequest { id, cluster_id: seen.own.cluster_id.clone() }).await?;
    Ok(())
}
