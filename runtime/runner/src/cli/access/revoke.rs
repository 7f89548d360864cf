//! `access revoke`.

use super::{
    args::RevokeArgs,
    messages::{Nothing, REVOKE, RevokeRequest},
    operator::Operator,
};
use crate::{
    cli::{failure::Failure, flags::Flags, print},
    tokens::{TokenChange, TokenFile},
};

pub(super) async fn revoke(args: RevokeArgs, flags: Flags) -> Result<(), Failure> {
    let RevokeArgs { id, node } = args;
    let operator = Operator::new(node, flags)?;
    let request = RevokeRequest { id: id.to_string() };
    let answer: Option<Nothing> = operator.ask(REVOKE, &request).await?;
    if answer.is_none() {
        let file = TokenFile::open(&operator.config.node.data_dir).map_err(Failure::other)?;
        let recorded = file.change_now(TokenChange::Revoke(id)).map_err(Failure::other)?;
        recorded.map_err(|error| Failure::other(format!("{error:?}")))?;
    }
    print::answer(&format!("revoked {id}\n"))
}
