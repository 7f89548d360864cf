//! A leader that is answered absurdly.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use openraft::{
    RaftNetwork, RaftNetworkFactory, ServerState, Snapshot,
    error::{Fatal as Ended, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::{Backoff, RPCOption},
};
use parking_lot::Mutex as Lock;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{node::start, *};
use crate::raft::quorum::Quorum;

/// An answer that is made up.
#[derive(Clone, Debug)]
enum Lie {
    Conflict,
    Partial(Option<LogId<u64>>),
    Higher(Vote<u64>),
    Vote(VoteResponse<u64>),
}

impl Lie {
    fn of_entries(self) -> Option<AppendEntriesResponse<u64>> {
        match self {
            Self::Conflict => Some(AppendEntriesResponse::Conflict),
            Self::Partial(matching) => Some(AppendEntriesResponse::PartialSuccess(matching)),
            Self::Higher(vote) => Some(AppendEntriesResponse::HigherVote(vote)),
            Self::Vote(_) => None,
        }
    }
}

/// The two other members: they lie while there are lies, and then agree to everything.
#[derive(Clone)]
struct Others {
    to: u64,
    quorum: Quorum,
    answers: Answers,
    acknowledged: Acknowledged,
    lies: Arc<Lock<VecDeque<Lie>>>,
    /// Whether a lie is told to Raft as it is.
    bare: Arc<AtomicBool>,
}

type Failure = RPCError<u64, Member, RaftError<u64>>;

impl Others {
    fn new() -> Self {
        let quorum = Quorum::new(PATIENCE);
        let answers = Answers::new(SELF, quorum.clone(), Refusals::default());
        Self {
            to: 0,
            quorum,
            answers,
            acknowledged: Acknowledged::default(),
            lies: Arc::default(),
            bare: Arc::default(),
        }
    }

    fn lie(&self, fits: impl Fn(&Lie) -> bool) -> Option<Lie> {
        let mut lies = self.lies.lock();
        let place = lies.iter().position(fits)?;
        lies.remove(place)
    }
}

impl RaftNetworkFactory<TypeConfig> for Others {
    type Network = Self;

    async fn new_client(&mut self, to: u64, _: &Member) -> Self {
        Self { to, acknowledged: Acknowledged::default(), ..self.clone() }
    }
}

impl RaftNetwork<TypeConfig> for Others {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failure> {
        let sent = Sent::of(&request);
        let lie = self.lie(|lie| !matches!(lie, Lie::Vote(_))).and_then(Lie::of_entries);
        let answer = lie.unwrap_or(AppendEntriesResponse::Success);
        if self.bare.load(Ordering::Relaxed) {
            return Ok(answer);
        }
        self.answers
            .entries(self.to, &sent, &mut self.acknowledged, answer)
            .map_err(|refusal| Unreachable::new(&refusal).into())
    }

    async fn vote(
        &mut self,
        question: VoteQuestion<u64>,
        _: RPCOption,
    ) -> Result<VoteResponse<u64>, Failure> {
        let answer = match self.lie(|lie| matches!(lie, Lie::Vote(_))) {
            Some(Lie::Vote(answer)) => answer,
            _ => VoteResponse { vote: question.vote, vote_granted: true, last_log_id: None },
        };
        if self.bare.load(Ordering::Relaxed) {
            return Ok(answer);
        }
        let answer = self.answers.vote(self.to, &question.vote, answer);
        answer.map_err(|refusal| Unreachable::new(&refusal).into())
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<u64>,
        _: Snapshot<TypeConfig>,
        _: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Ended<u64>>> {
        let vote = self.answers.snapshot(self.to, &vote, vote);
        Ok(SnapshotResponse { vote: vote.map_err(|refusal| Unreachable::new(&refusal))? })
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(Duration::from_millis(1)))
    }
}

/// How long a leader may take for anything, and for a write that is answered absurdly.
const PATIENCE: Duration = Duration::from_secs(10);
const BARE: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(50);

struct Leader {
    directory: TempDir,
    raft: openraft::Raft<TypeConfig>,
    others: Others,
}

impl Leader {
    async fn new() -> Self {
        let (directory, others) = (tempfile::tempdir().unwrap(), Others::new());
        let (_, raft) = start(&directory, others.clone()).await;
        others.quorum.follow(raft.metrics());
        let nodes: BTreeMap<_, _> = [SELF, 2, 3].map(|node| (node, member(node))).into();
        raft.initialize(nodes).await.unwrap();
        let leader = Self { directory, raft, others };
        leader.writes(PATIENCE).await.unwrap();
        leader
    }

    /// Stands for election where it does not lead, and writes.
    async fn writes(&self, patience: Duration) -> Result<(), String> {
        let mut metrics = self.raft.metrics();
        let writing = async {
            loop {
                let state = metrics.borrow_and_update().state;
                if state == ServerState::Leader {
                    let command = Command {
                        key: "key".to_owned(),
                        value: Some("value".into()),
                        expected_revision: None,
                        request_id: None,
                    };
                    if self.raft.client_write(command).await.is_ok() {
                        return Ok(());
                    }
                } else {
                    self.raft.trigger().elect().await.map_err(|error| error.to_string())?;
                }
                let changed = tokio::time::timeout(SHORT, metrics.changed()).await;
                metrics.borrow().running_state.clone().map_err(|error| error.to_string())?;
                if matches!(changed, Ok(Err(_))) {
                    return Err("it has ended".to_owned());
                }
            }
        };
        tokio::time::timeout(patience, writing).await.unwrap_or_else(|_| Err("no write succeeds".to_owned()))
    }

    /// Tells all lies, and then whether it leads on, also after a restart.
    async fn after(self, lies: Vec<Lie>) -> Result<(), String> {
        let asked = lies.iter().any(|lie| matches!(lie, Lie::Vote(_)));
        *self.others.lies.lock() = lies.into();
        for _ in 0..20 {
            if self.others.lies.lock().is_empty() {
                break;
            }
            if asked {
                // A leader asks for no votes: another one has taken its place.
                let term = self.raft.metrics().borrow().current_term + 1;
                let other = entries(Vote::new_committed(term, 2), None, Vec::new(), None);
                drop(self.raft.append_entries(other).await);
            }
            drop(self.writes(SHORT).await);
        }
        self.others.lies.lock().clear();
        let patience = if self.others.bare.swap(false, Ordering::Relaxed) { BARE } else { PATIENCE };
        self.writes(patience).await?;
        self.raft.shutdown().await.map_err(|error| error.to_string())?;
        let Self { directory, raft, others } = self;
        drop(raft);
        let others = Others { bare: others.bare, ..Others::new() };
        let (_, raft) = start(&directory, others.clone()).await;
        others.quorum.follow(raft.metrics());
        Self { directory, raft, others }.writes(patience).await
    }
}

/// Lies, each of which two members tell.
fn lies() -> Vec<(&'static str, Lie)> {
    let no = |vote| Lie::Vote(VoteResponse { vote, vote_granted: false, last_log_id: None });
    vec![
        ("the last of all terms", Lie::Higher(Vote::new(u64::MAX, 2))),
        ("a leap", Lie::Higher(Vote::new(1 << 61, 2))),
        ("this node leads a later term", Lie::Higher(Vote::new_committed(9, SELF))),
        ("a lower vote", Lie::Higher(Vote::new(0, 2))),
        ("more than was sent", Lie::Partial(Some(id(1, 1, 1 << 40)))),
        ("nothing of what was sent", Lie::Partial(None)),
        ("a conflict with what was acknowledged", Lie::Conflict),
        ("the last of all terms, to a candidate", no(Vote::new(u64::MAX, 2))),
        ("this node leads, to a candidate", no(Vote::new_committed(1 << 20, SELF))),
    ]
}

#[tokio::test]
async fn an_absurd_answer_leaves_a_leader_that_leads_and_starts_again() {
    for (what, lie) in lies() {
        let leader = Leader::new().await;
        let outcome = leader.after(vec![lie; 4]).await;
        outcome.unwrap_or_else(|problem| panic!("after {what}: {problem}"));
    }
}

/// What the checks are for: some of these end a Raft that believes them.
#[tokio::test]
async fn absurd_answers_end_a_raft_that_believes_them() {
    let mut ended = Vec::new();
    for (what, lie) in lies() {
        let leader = Leader::new().await;
        leader.others.bare.store(true, Ordering::Relaxed);
        let outcome = tokio::spawn(leader.after(vec![lie; 4])).await.map_err(|error| error.to_string());
        let outcome = outcome.and_then(|outcome| outcome);
        eprintln!("{what}: {outcome:?}");
        if outcome.is_err() {
            ended.push(what);
        }
    }
    assert!(ended.contains(&"the last of all terms"), "{ended:?}");
    assert!(ended.len() >= 4, "{ended:?}");
}

fn number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![
        8 => 0..12u64,
        1 => prop::sample::select(vec![1 << 28, 1 << 62, u64::MAX - 1, u64::MAX]),
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    let vote = (number(), 0..4u64, any::<bool>());
    let vote = vote.prop_map(|(term, node, committed)| Vote {
        leader_id: openraft::LeaderId::new(term, node),
        committed,
    });
    let place = (number(), 0..4u64, number()).prop_map(|(term, node, index)| id(term, node, index));
    let place = prop::option::of(place);
    prop_oneof![
        Just(Lie::Conflict),
        place.clone().prop_map(Lie::Partial),
        vote.clone().prop_map(Lie::Higher),
        (vote, any::<bool>(), place).prop_map(|(vote, vote_granted, last_log_id)| {
            Lie::Vote(VoteResponse { vote, vote_granted, last_log_id })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_leader_that_is_answered_anything_leads_and_starts_again(
        lies in proptest::collection::vec(lie(), 48),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let outcome = runtime.block_on(async { Leader::new().await.after(lies.clone()).await });
        if let Err(problem) = outcome {
            panic!("{problem} after {lies:#?}");
        }
    }
}
