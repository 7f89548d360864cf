//! `polywire-node cluster`.

use std::{fmt, str::FromStr, time::Duration};

use clap::{Parser, Subcommand};
use polywire::{
    Channel, Status, Target,
    cli::{Arguments, CallerArgs, Command, CommandError, print},
    tokens::{InvalidToken, Token},
};
use polywire_proto::{cluster::v1, status::v1::GetClusterStatusRequest};

use super::{cluster::ClusterClient, command_table::Seen};
use crate::status::StatusClient;

/// The command `cluster`, which forms and changes a cluster.
#[derive(Clone, Copy, Debug)]
pub struct ClusterCommand;

#[derive(Debug, Parser)]
#[command(about = ABOUT)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// The running node, unless TARGET names it; grpc://127.0.0.1:7001 by default
    #[arg(long, global = true, value_name = "TARGET")]
    node: Option<Target>,
    /// Prints JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Shows the members' ids too
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(flatten)]
    caller: CallerArgs,
}

const ABOUT: &str = "Forms and changes a cluster, and shows how it is";

#[derive(Debug, Subcommand)]
enum What {
    /// Lets a node that waits for its peers form a cluster of its own at once
    Init(NodeArgument),
    /// Prints a token with which one node may join the cluster of this node, once
    Invite {
        /// How long the token is valid
        #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        valid: Duration,
        /// The id of the node that alone may use the token, as its command `id` prints it
        #[arg(long, value_name = "NODE_ID")]
        to: Option<String>,
        #[command(flatten)]
        node: NodeArgument,
    },
    /// Lets the node join the cluster of another; it must hold no data
    Join {
        /// A token of `cluster invite`, or a target of any member of that cluster
        #[arg(value_name = "TOKEN|TARGET")]
        seed: Seed,
        #[command(flatten)]
        node: NodeArgument,
    },
    /// Lets the node leave its cluster and drop its copy of the data
    Leave(NodeArgument),
    /// Removes a member from the cluster, also one that never comes back
    Remove {
        /// Its name or its id, as `status -v` shows them
        #[arg(value_name = "NAME|ID")]
        member: String,
        #[command(flatten)]
        node: NodeArgument,
    },
    /// Shows the leader and the members
    Status(NodeArgument),
}

#[derive(Debug, clap::Args)]
struct NodeArgument {
    /// The running node; the same as --node
    #[arg(value_name = "TARGET")]
    target: Option<Target>,
}

/// What leads to the cluster that a node joins.
#[derive(Clone, Debug)]
enum Seed {
    Target(Target),
    Token(Box<Token>),
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.contains("://") || text.starts_with("endpoint") {
            true => text.parse().map(Self::Target).map_err(|error| error.to_string()),
            false => text.parse().map(|token| Self::Token(Box::new(token))).map_err(|error: InvalidToken| {
                format!(
                    "{error}; expected a token of `cluster invite` or a target such as grpc://192.0.2.1:7001"
                )
            }),
        }
    }
}

impl fmt::Display for Seed {
    /// Without the token, which is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target) => target.fmt(f),
            Self::Token(_) => f.write_str("the token"),
        }
    }
}

impl Seed {
    fn request(&self) -> v1::JoinRequest {
        match self {
            Self::Target(target) => {
                v1::JoinRequest { seed: target.to_string(), ..v1::JoinRequest::default() }
            }
            Self::Token(token) => v1::JoinRequest { token: token.to_string(), ..v1::JoinRequest::default() },
        }
    }
}

/// Where a node listens that was started without a configuration.
const DEFAULT: &str = "grpc://127.0.0.1:7001";

impl Args {
    /// The node that the command talks to.
    fn node(&self) -> Result<Target, CommandError> {
        let (What::Init(node)
        | What::Invite { node, .. }
        | What::Join { node, .. }
        | What::Leave(node)
        | What::Remove { node, .. }
        | What::Status(node)) = &self.what;
        match (&node.target, &self.node) {
            (Some(_), Some(_)) => {
                Err(CommandError::Usage("the node is named twice; expected TARGET or --node".to_owned()))
            }
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
        let opened = args.node()?.open(&args.caller.connect_options()?).await?;
        let shape = if args.json { Shape::Json } else { Shape::Table { verbose: args.verbose } };
        let outcome = tell(&args.caller.present(opened.channel), args.what, shape).await;
        opened.close.await;
        let text = outcome?;
        print(&format!("{text}\n"))
    }
}

/// Tells the node, and says how the cluster is then.
async fn tell(channel: &Channel, what: What, shape: Shape) -> Result<String, CommandError> {
    let client = ClusterClient::new(channel.clone());
    match what {
        What::Init(_) => {
            client.init(v1::InitRequest {}).await?;
        }
        What::Invite { valid, to, .. } => {
            let valid_ms = u64::try_from(valid.as_millis()).unwrap_or(u64::MAX);
            let request = v1::InviteRequest { valid_ms, to: to.unwrap_or_default() };
            return Ok(client.invite(request).await?.token);
        }
        What::Join { seed, .. } => {
            let joined = client.join(seed.request()).await?;
            if joined.already_member {
                let problem =
                    format!("this node is a member of the cluster of {seed} already; nothing was done");
                return Err(Status::already_exists(problem).into());
            }
        }
        What::Leave(_) => {
            client.leave(v1::LeaveRequest {}).await?;
        }
        What::Remove { member, .. } => remove(&client, &seen(channel).await?, &member).await?,
        What::Status(_) => {}
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
    let own = ClusterClient::new(channel.clone()).status(v1::StatusRequest::default()).await?;
    let by_leader = StatusClient::new(channel.clone()).get_cluster_status(GetClusterStatusRequest {}).await;
    Ok(Seen { own, by_leader: by_leader.unwrap_or_default() })
}

/// Takes the member with this name or id out.
async fn remove(client: &ClusterClient, seen: &Seen, member: &str) -> Result<(), CommandError> {
    let id = match *seen.find(member) {
        [found] => found.id,
        [] => {
            let problem = format!("member {member:?} not found; the members are {}", seen.names());
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
