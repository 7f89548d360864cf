//! `invite`.

use std::time::SystemTime;

use polywire_core::__runner::leads_here;

use super::{
    args::{Allowed, InviteArgs},
    known,
    messages::{ISSUE, IssueRequest, IssueResponse},
    operator::{Listed, Operator},
};
use crate::{
    cli::{failure::Failure, flags::Flags, print},
    tokens::{Invitation, Token, TokenChange, TokenFile, TokenRecord},
};

pub(in crate::cli) async fn invite(args: InviteArgs, flags: Flags) -> Result<(), Failure> {
    let InviteArgs { what, name, target, node } = args;
    let operator = Operator::new(node, flags)?;
    let targets: Vec<_> = target.iter().map(ToString::to_string).collect();
    let request = IssueRequest {
        methods: what.method.iter().map(ToString::to_string).collect(),
        valid_for_seconds: what.valid_for.as_secs(),
        uses: what.uses,
        to: what.to.map(|key| key.to_string()).unwrap_or_default(),
        name,
        targets,
    };
    let answer = match operator.services().await? {
        Listed::NoNode => None,
        Listed::Untold => operator.ask(ISSUE, &request).await?,
        Listed::Services(services) => {
            known::check(&what.method, &services)?;
            operator.ask(ISSUE, &request).await?
        }
    };
    let token = match answer {
        Some(IssueResponse { token }) => token,
        None => offline(&operator, &what, request)?.to_string(),
    };
    if target.is_empty() {
        warn_of_loopback(&token);
    }
    print::answer(&format!("{token}\n"))
}

/// Says so if the targets of the token, which the node has told, lead to the node's machine alone.
fn warn_of_loopback(token: &str) {
    let Ok(token) = token.parse::<Token>() else { return };
    let targets = token.targets();
    let leads_here = |target: &String| target.parse().is_ok_and(|target| leads_here(&target));
    if !targets.is_empty() && targets.iter().all(leads_here) {
        print::note(format_args!(
            "warning: the token leads to the node from its own machine alone, by {}; --target here, or cluster.advertise in the \
             node's configuration, says where others call it",
            targets.join(" ")
        ));
    }
}

/// Signs with the key in the data directory, and records the token there.
fn offline(operator: &Operator, what: &Allowed, request: IssueRequest) -> Result<Token, Failure> {
    let targets = match request.targets.is_empty() {
        true => operator.targets().iter().map(ToString::to_string).collect(),
        false => request.targets,
    };
    let expires = SystemTime::now().checked_add(what.valid_for);
    let invitation = Invitation {
        name: request.name,
        targets,
        methods: request.methods,
        expires: expires.ok_or_else(|| Failure::usage("invalid validity; expected at most 366 days"))?,
        uses: request.uses,
        to: what.to.map(|key| *key.as_bytes()),
    };
    let token = Token::issue(operator.identity()?.secret_key(), invitation)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let file = TokenFile::open(&operator.config.node.data_dir).map_err(Failure::other)?;
    let recorded = file.change_now(TokenChange::Issue(TokenRecord::of(&token)));
    recorded.map_err(Failure::other)?.map_err(|error| Failure::other(format!("{error:?}")))?;
    Ok(token)
}
