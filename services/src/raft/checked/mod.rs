//! Checks what members say before Raft hears it: requests, answers and snapshots.
//!
//! Raft assumes that its members are correct. `openraft` asserts that, or computes with what it was told, and one message that
//! breaks an assumption ends it, often for good, as the message is on disk by then. What can break, and what keeps it whole:
//!
//! | `openraft` 0.9.25 | breaks by | refused because |
//! |---|---|---|
//! | `elect`: `term + 1` | a vote of term 2⁶⁴−1 | a term has a [ceiling](super::store::CEILING) and may not [leap](bounds::TERM_LEAP) |
//! | `next_index`, `purge_log`: `index + 1`; `load_log_ids`: `first + last` | an index of 2⁶⁴−1 | an index has the same ceiling, and a snapshot may not [leap](bounds::INDEX_LEAP) |
//! | `update_accepted`: the vote is elected | entries of a candidate | entries and snapshots come with an elected vote, questions for votes without |
//! | `become_leader` | an elected vote for this node | votes of others are never for this node |
//! | `has_log_id`: what is committed is the leader's | another entry at a committed index | what is committed stays |
//! | `commit_entries`: `min(accepted, commit)` | a commit of an older term and a greater index | commits are at most the last entry, and one that is there |
//! | `apply_to_state_machine`: `entries[len - 1]`, `since <= end` | a commit that goes back, or that is not in the log | the same |
//! | `do_append_entries`, `LogIdList::append`, `extend_from_same_leader`: entries follow one another | gaps, terms that fall | entries follow one another, and the vote is the greatest |
//! | `MembershipState::truncate`: the last membership but one stays | entries that take both out | such a truncation is refused |
//! | `get_node(voter).unwrap()`, `Membership`: a voter is a member, and there are voters | a voter without a node, no voters | memberships are [whole](membership) |
//! | `install_full_snapshot`, `LogIdList::purge`, `update_applied`: a snapshot is ahead | a snapshot of a greater term and a smaller index | a snapshot is ahead by both or by neither |
//! | `finish_success_append`, `Inflight::ack`, `calc_mid`: the matching entry was sent, and none is lost | a partial success beyond, a conflict below what was acknowledged | answers are about what was sent |
//! | `conflict.unwrap()`: there was an entry before | a conflict with nothing | the same |
//! | `handle_vote_resp`, `HigherVote`: the vote is greater | a vote for this node, or a lower one | answers make no leader |
//!
//! Requests take turns, so that what was looked up is still so when Raft hears the request, and a leader follows the sender of a
//! greater vote before its entries are looked at. A request that follows the log's
//! end under the vote of the one before needs nothing looked up.

mod answer;
mod bounds;
mod known;
mod membership;
mod own;
mod refusal;
mod request;
mod snapshot;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

use openraft::{
    SnapshotMeta, Vote,
    error::{Fatal, RaftError},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest as VoteQuestion,
        VoteResponse,
    },
};
use polywire::Status;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub(super) use self::{
    answer::{Acknowledged, Answers, Sent},
    refusal::Refusals,
};
use self::{known::Known, own::Own, refusal::Refusal};
use super::{
    Member, TypeConfig,
    server::fatal,
    store::{LogStore, Received},
};

/// A Raft that hears only what can be true.
pub(super) struct Checked {
    id: u64,
    raft: openraft::Raft<TypeConfig>,
    log: LogStore,
    turn: Mutex<Turn>,
    /// The last request that Raft has answered.
    answered: AtomicU64,
    /// Held while a snapshot is received.
    receiving: Arc<Mutex<()>>,
    refusals: Refusals,
}

/// What the requests before have left.
#[derive(Debug, Default)]
struct Turn {
    /// The vote of the last request with entries.
    accepted: Option<Vote<u64>>,
    /// How many requests Raft was given.
    sent: u64,
}

/// What other members say of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It votes.
    Voter,
    /// Nothing, lately.
    Unknown,
}

impl Checked {
    /// The checks of the member `id`, in front of this Raft with this log.
    pub(super) fn new(id: u64, raft: openraft::Raft<TypeConfig>, log: LogStore, refusals: Refusals) -> Self {
        Self {
            id,
            raft,
            log,
            turn: Mutex::default(),
            answered: AtomicU64::new(0),
            receiving: Arc::default(),
            refusals,
        }
    }

    /// How many messages were refused since this was asked last.
    pub(super) fn take_refused(&self) -> u64 {
        self.refusals.take()
    }

    /// Takes entries from the leader.
    ///
    /// # Errors
    /// A refusal, of which nothing was processed; Raft's own errors.
    ///
    /// # Cancel safety
    /// Raft goes on with a request that it has been given.
    pub(super) async fn append_entries(
        &self,
        mut request: AppendEntriesRequest<TypeConfig>,
        standing: Standing,
    ) -> Result<AppendEntriesResponse<u64>, Status> {
        let mut turn = self.turn.lock().await;
        let checked = self.check_entries(&mut request, standing, &turn).await;
        self.told(request.vote.leader_id.node_id, checked)?;
        turn.accepted = Some(request.vote);
        turn.sent += 1;
        let number = turn.sent;
        let mut asking = pin!(self.raft.append_entries(request));
        let begun = begin(asking.as_mut()).await;
        drop(turn);
        let answer = match begun {
            Poll::Ready(answer) => answer,
            Poll::Pending => asking.await,
        };
        self.answered.fetch_max(number, Ordering::Relaxed);
        answer.map_err(failed)
    }

    async fn check_entries(
        &self,
        request: &mut AppendEntriesRequest<TypeConfig>,
        standing: Standing,
        turn: &Turn,
    ) -> Result<(), Refusal> {
        request::entries(request, self.id)?;
        let tail = self.log.tail();
        let goes_on = turn.accepted == Some(request.vote)
            && request.prev_log_id.is_some()
            && request.prev_log_id == tail.last
            && self.answered.load(Ordering::Relaxed) == turn.sent;
        if goes_on && !request::looks_back(request) {
            return Ok(());
        }
        let known = Known::of(&self.raft, self.id, &request.vote).await?;
        if request.vote < known.vote {
            // Raft says by which vote.
            return Ok(());
        }
        known.admit(&request.vote, standing)?;
        let known = self.led_by(&request.vote, known).await?;
        let own = Own::read(&self.log, request).await?;
        request::against(request, &known, &own)
    }

    /// What is known once this node follows the sender: one that leads commits entries of its own between a look and the next.
    async fn led_by(&self, vote: &Vote<u64>, known: Known) -> Result<Known, Refusal> {
        if !known.leads {
            return Ok(known);
        }
        let nothing =
            AppendEntriesRequest { vote: *vote, prev_log_id: None, entries: Vec::new(), leader_commit: None };
        match self.raft.append_entries(nothing).await {
            Ok(_) => Known::of(&self.raft, self.id, vote).await,
            Err(RaftError::Fatal(error)) => Err(ended(error)),
        }
    }

    /// Votes for a candidate or refuses to.
    ///
    /// # Errors
    /// A refusal, of which nothing was processed; Raft's own errors.
    ///
    /// # Cancel safety
    /// Raft goes on with a request that it has been given.
    pub(super) async fn vote(
        &self,
        question: VoteQuestion<u64>,
        standing: Standing,
    ) -> Result<VoteResponse<u64>, Status> {
        let mut turn = self.turn.lock().await;
        let checked = async {
            request::candidacy(&question, self.id)?;
            let known = Known::of(&self.raft, self.id, &question.vote).await?;
            known.admit(&question.vote, standing)
        };
        let checked = checked.await;
        self.told(question.vote.leader_id.node_id, checked)?;
        turn.sent += 1;
        let number = turn.sent;
        let mut asking = pin!(self.raft.vote(question));
        let begun = begin(asking.as_mut()).await;
        drop(turn);
        let answer = match begun {
            Poll::Ready(answer) => answer,
            Poll::Pending => asking.await,
        };
        self.answered.fetch_max(number, Ordering::Relaxed);
        answer.map_err(failed)
    }

    /// Whether a snapshot is to be received: it could be installed, and no other one is on its way. None is while the answer
    /// is held.
    ///
    /// # Errors
    /// A refusal, of which nothing was processed.
    pub(super) async fn offer(
        &self,
        vote: &Vote<u64>,
        meta: &SnapshotMeta<u64, Member>,
        standing: Standing,
    ) -> Result<OwnedMutexGuard<()>, Status> {
        let checked = self.check_snapshot(vote, meta, standing).await;
        self.told(vote.leader_id.node_id, checked)?;
        self.receiving.clone().try_lock_owned().map_err(|_| {
            Status::unavailable("another snapshot is being received; expected one at a time").not_processed()
        })
    }

    async fn check_snapshot(
        &self,
        vote: &Vote<u64>,
        meta: &SnapshotMeta<u64, Member>,
        standing: Standing,
    ) -> Result<(), Refusal> {
        snapshot::shape(vote, meta, self.id)?;
        let known = Known::of(&self.raft, self.id, vote).await?;
        if *vote < known.vote {
            return Ok(());
        }
        known.admit(vote, standing)?;
        let known = self.led_by(vote, known).await?;
        snapshot::against(meta, self.id, &known, &Own::of_snapshot(&self.log, meta).await?)
    }

    /// Hands a received snapshot to Raft, and waits until it is installed or refused.
    ///
    /// # Errors
    /// A refusal; Raft's own errors.
    ///
    /// # Cancel safety
    /// Not safe: Raft needs the file that a dropped call removes.
    pub(super) async fn install(
        &self,
        vote: Vote<u64>,
        received: Received,
        standing: Standing,
    ) -> Result<SnapshotResponse<u64>, Status> {
        let mut turn = self.turn.lock().await;
        // Again: entries may have come meanwhile.
        let checked = self.check_snapshot(&vote, received.meta(), standing).await;
        self.told(vote.leader_id.node_id, checked)?;
        turn.sent += 1;
        let number = turn.sent;
        let mut asking = pin!(received.install(self.raft.clone(), vote));
        let begun = begin(asking.as_mut()).await;
        drop(turn);
        let answer = match begun {
            Poll::Ready(answer) => answer,
            Poll::Pending => asking.await,
        };
        self.answered.fetch_max(number, Ordering::Relaxed);
        answer.map_err(fatal)
    }

    fn told(&self, sender: u64, checked: Result<(), Refusal>) -> Result<(), Status> {
        checked.map_err(|refusal| self.refusals.note("a request", sender, refusal).into_status())
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Gives Raft the request: it takes requests in the order in which their calls are first polled.
async fn begin<F: Future>(mut asking: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx))).await
}

fn failed(error: RaftError<u64>) -> Status {
    match error {
        RaftError::Fatal(error) => fatal(error),
    }
}

/// Raft has ended.
fn ended(error: Fatal<u64>) -> Refusal {
    Refusal::busy(format!("this node's Raft has ended: {error}"))
}
