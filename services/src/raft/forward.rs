//! Calls that only the leader can answer: the member that is asked forwards them.

use std::{future::Future, sync::Arc, time::Duration};

use openraft::error::{CheckIsLeaderError, ClientWriteError, RaftError};
use polywire::{Channel, Code, Context, Status};
use tokio::time::Instant;

use super::{
    Member,
    handle::{Handle, Leader},
    metrics::{Metrics, name},
    peer::Peer,
    running::Running,
    server::fatal,
};

/// Marks a call that was forwarded to the leader already: it is not forwarded again.
pub(crate) const FORWARDED: &str = "polywire-forwarded";

/// Whether the call has this mark. An empty value is none, as proofs sign it so.
pub(super) fn is_marked(cx: &Context, mark: &str) -> bool {
    cx.metadata().get(mark).is_some_and(|value| !value.is_empty())
}

/// Marks an answer of a member that does not lead: the call may be repeated.
const NOT_LEADER: &str = "polywire-not-leader";

/// The time limit of a call without a deadline: enough for the members to elect a leader.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why this node did not answer the call itself.
pub(crate) enum Refusal {
    /// It does not lead. A read was not executed. A write usually was not either, but may have been: Raft reports an entry
    /// that another leader has truncated in the same way.
    NotLeader,
    /// It leads; this is the error.
    Status(Status),
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotLeader => not_leader(),
            Refusal::Status(status) => status,
        }
    }
}

impl Handle {
    /// Runs a call at the leader: `here` if this node leads, else `there`, by a call to the leader. A call that may have
    /// been executed is repeated only if it is `repeatable`.
    ///
    /// # Errors
    /// Those of the call. `Unavailable` while there is no leader, and when the leader is lost during the call, which may
    /// have been executed then; `DeadlineExceeded` likewise.
    pub(super) async fn at_leader<T, H, O, C, F>(
        &self,
        cx: &Context,
        repeatable: bool,
        here: H,
        there: C,
    ) -> Result<T, Status>
    where
        H: Fn(Arc<Running>) -> O,
        O: Future<Output = Result<T, Refusal>>,
        C: Fn(Channel, Duration) -> F,
        F: Future<Output = Result<T, Status>>,
    {
        let by = cx.deadline().unwrap_or_else(|| Instant::now() + PATIENCE);
        self.by_then(cx, by, repeatable, here, there).await
    }

    /// Asks the leader for something that it knows by itself: `here` or `there` as in [`at_leader`](Self::at_leader).
    ///
    /// # Errors
    /// As there, at the latest by then.
    pub(crate) async fn ask_leader<T, H, O, C, F>(
        &self,
        cx: &Context,
        by: Instant,
        here: H,
        there: C,
    ) -> Result<T, Status>
    where
        H: Fn(Arc<Running>) -> O,
        O: Future<Output = Result<T, Refusal>>,
        C: Fn(Channel, Duration) -> F,
        F: Future<Output = Result<T, Status>>,
    {
        self.by_then(cx, by, true, here, there).await
    }

    async fn by_then<T, H, O, C, F>(
        &self,
        cx: &Context,
        by: Instant,
        repeatable: bool,
        here: H,
        there: C,
    ) -> Result<T, Status>
    where
        H: Fn(Arc<Running>) -> O,
        O: Future<Output = Result<T, Refusal>>,
        C: Fn(Channel, Duration) -> F,
        F: Future<Output = Result<T, Status>>,
    {
        let forwarded = is_marked(cx, FORWARDED);
        loop {
            match self.leader(by).await? {
                Leader::This(running) => {
                    let outcome = tokio::time::timeout_at(by, here(running)).await;
                    match outcome.map_err(|_| unconfirmed())? {
                        Err(Refusal::NotLeader) if !repeatable => return Err(lost()),
                        Err(Refusal::NotLeader) if forwarded => return Err(not_leader()),
                        Err(Refusal::NotLeader) => {}
                        Err(Refusal::Status(status)) => return Err(status),
                        Ok(done) => return Ok(done),
                    }
                }
                Leader::Other(_) if forwarded => return Err(not_leader()),
                Leader::Other(peer) => {
                    let left = by.saturating_duration_since(Instant::now());
                    let calling = peer.call(|channel| there(channel, left));
                    let outcome = tokio::select! {
                        outcome = calling => outcome,
                        () = self.follows_another(&peer) => Err(lost()),
                    };
                    match outcome {
                        Ok(done) => return Ok(done),
                        Err(status) if !may_repeat(&status, repeatable) => return Err(status),
                        Err(_) => {}
                    }
                }
            }
            if Instant::now() >= by {
                return Err(unconfirmed());
            }
            self.changed().await;
        }
    }

    /// Returns once this node no longer follows that member.
    async fn follows_another(&self, leader: &Peer) {
        let Ok(running) = self.running() else { return };
        let mut metrics = running.raft.metrics();
        let stays = |metrics: &Metrics| metrics.current_leader == Some(leader.id());
        while stays(&metrics.borrow_and_update()) && metrics.changed().await.is_ok() {}
    }
}

fn may_repeat(status: &Status, repeatable: bool) -> bool {
    let refused = status.is_not_processed() || status.metadata().get(NOT_LEADER).is_some();
    refused || (repeatable && status.code() == Code::Unavailable)
}

fn not_leader() -> Status {
    let mut status = Status::unavailable("this member no longer leads the cluster").not_processed();
    // The key is well-formed.
    let _ = status.metadata_mut().insert(NOT_LEADER, "1");
    status
}

fn lost() -> Status {
    Status::unavailable("the leader was lost during the call, which may have been executed")
}

fn unconfirmed() -> Status {
    Status::deadline_exceeded("no majority has confirmed the call in time; it may still be executed")
}

/// Maps the error of a write at this node.
pub(super) fn refusal(error: RaftError<u64, ClientWriteError<u64, Member>>) -> Refusal {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => Refusal::NotLeader,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
            Refusal::Status(Status::failed_precondition(error.to_string()))
        }
        RaftError::Fatal(error) => Refusal::Status(fatal(error)),
    }
}

/// How long the members may take to confirm the leader: Raft waits for each answer as long as from one heartbeat to the
/// next, which a busy machine or a slow disk takes longer for now and then.
const CONFIRMING: Duration = Duration::from_secs(1);

/// The pause between two attempts to confirm the leader.
const ASKING_AGAIN: Duration = Duration::from_millis(50);

/// Returns once this node has applied everything that the cluster had agreed on when it was called: a linearizable read.
///
/// # Errors
/// [`NotLeader`](Refusal::NotLeader); `Unavailable`, not processed, without a majority.
pub(super) async fn current(running: &Running) -> Result<(), Refusal> {
    let by = Instant::now() + CONFIRMING;
    loop {
        match running.raft.ensure_linearizable().await {
            Ok(_) => return Ok(()),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(_))) => {
                return Err(Refusal::NotLeader);
            }
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(answered))) => {
                if Instant::now() >= by {
                    return Err(Refusal::Status(without_majority(running, answered.got.iter())));
                }
            }
            Err(RaftError::Fatal(error)) => return Err(Refusal::Status(fatal(error))),
        }
        tokio::time::sleep(ASKING_AGAIN).await;
    }
}

fn without_majority<'a>(running: &Running, answered: impl Iterator<Item = &'a u64>) -> Status {
    let metrics = running.metrics();
    let answered: Vec<_> = answered.map(|id| name(&metrics, *id)).collect();
    let voters = metrics.membership_config.membership().voter_ids().count();
    Status::unavailable(format!(
        "no majority of the cluster confirms that this member leads: of {voters} voters, only {} answered",
        answered.join(", ")
    ))
    .not_processed()
}
