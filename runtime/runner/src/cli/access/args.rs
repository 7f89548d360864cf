use std::time::Duration;

use clap::Subcommand;
use iroh_base::PublicKey;
use polywire_core::{Target, access::MethodPattern};

use super::{
    super::args::{ConfigArgs, ConnectArgs},
    TokenArg,
};
use crate::tokens::TokenId;

pub(in crate::cli) const INVITE: &str = "The token is one line on stdout, and a secret: its holder may call the methods until \
it expires. Every client presents it as `authorization: Bearer TOKEN`; `call --token TOKEN` does so, and calls the targets that \
the token carries.

The command asks the running node of the data directory. Without one, or with a node that cannot be called from here, it signs \
with the key in the data directory, and records the token there.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InviteArgs {
    #[command(flatten)]
    pub(super) what: Allowed,
    /// The token's name, for rules and logs: token:NAME; its id by default
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(super) name: String,
    /// A target that the token carries, the first preferred; repeatable; by default those of the node
    #[arg(long, value_name = "TARGET")]
    pub(super) target: Vec<Target>,
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

/// The node whose access is asked about.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NodeArgs {
    /// The running node; by default that of the data directory
    #[arg(long, value_name = "TARGET")]
    pub(super) node: Option<Target>,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// What a token allows.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Allowed {
    /// A method that it allows: PACKAGE.SERVICE/METHOD, PACKAGE.SERVICE/* or a class such as application; repeatable
    #[arg(long, value_name = "METHOD", required = true)]
    pub(super) method: Vec<MethodPattern>,
    /// How long it is valid, for instance 10m, 1h or 7days
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = super::super::args::duration)]
    pub(super) valid_for: Duration,
    /// The number of calls that it is good for; unlimited by default
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) uses: Option<u32>,
    /// The node id that alone may use it, as `id` prints it
    #[arg(long, value_name = "KEY")]
    pub(super) to: Option<PublicKey>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Shows what a token allows, where to call with it, and its ids
    Show {
        /// The token; @FILE reads it from a file
        token: TokenArg,
        /// Prints JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Prints a token that allows fewer methods or a shorter time, made from one without asking its issuer
    Narrow(NarrowArgs),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NarrowArgs {
    /// The token; @FILE reads it from a file
    pub(super) token: TokenArg,
    /// A method that the new token allows; repeatable; by default all of the token's
    #[arg(long, value_name = "METHOD")]
    pub(super) method: Vec<MethodPattern>,
    /// How long the new token is valid, for instance 10m; by default as long as the token
    #[arg(long = "for", value_name = "DURATION", value_parser = super::super::args::duration)]
    pub(super) valid_for: Option<Duration>,
    /// The number of calls that the new token is good for; they count for the token too
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) uses: Option<u32>,
    /// The node id that alone may use the new token
    #[arg(long, value_name = "KEY")]
    pub(super) to: Option<PublicKey>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AccessCommand {
    /// Lists the issued tokens and the rules
    List(ListArgs),
    /// Revokes a token and all tokens that it was narrowed to, in the whole cluster
    Revoke(RevokeArgs),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    pub(super) node: NodeArgs,
    /// Prints JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RevokeArgs {
    /// The token's id, as `access list` and `token show` print it
    pub(super) id: TokenId,
    #[command(flatten)]
    pub(super) node: NodeArgs,
}
