//! `invite`, `token` and `access`.

mod args;
mod invite;
mod known;
mod list;
mod messages;
mod operator;
mod revoke;
mod token;
mod token_arg;

pub(super) use self::{
    args::{AccessCommand, INVITE, InviteArgs, TokenCommand},
    invite::invite,
    token::token,
    token_arg::TokenArg,
};

use super::{failure::Failure, flags::Flags};

pub(super) async fn access(command: AccessCommand, flags: Flags) -> Result<(), Failure> {
    match command {
        AccessCommand::List(args) => list::list(args, flags).await,
        AccessCommand::Revoke(args) => revoke::revoke(args, flags).await,
    }
}
