//! Thousands of messages that are made up.

use openraft::StoredMembership;
use proptest::{collection::vec, option, prelude::*};

use super::{node::Message, *};

/// How a number is made up: near where the node is, or far from everything.
#[derive(Clone, Copy, Debug)]
enum Number {
    Near(i64),
    Far(u64),
}

impl Number {
    fn from(self, here: u64) -> u64 {
        match self {
            Self::Near(by) => here.saturating_add_signed(by),
            Self::Far(number) => number,
        }
    }
}

fn number() -> impl Strategy<Value = Number> {
    let far = prop::sample::select(vec![
        0,
        1 << 28,
        1 << 40,
        (1 << 62) - 1,
        1 << 62,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ]);
    prop_oneof![12 => (-3i64..=3).prop_map(Number::Near), 1 => far.prop_map(Number::Far)]
}

/// An entry's place.
type Place = (Number, u64, Number);

fn place() -> impl Strategy<Value = Place> {
    (number(), 0..5u64, number())
}

#[derive(Clone, Debug)]
enum Payload {
    Write,
    Members(Vec<u64>),
    Voters(Vec<u64>),
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        4 => Just(Payload::Write),
        1 => vec(1..5u64, 0..4).prop_map(Payload::Members),
        1 => vec(1..5u64, 0..3).prop_map(Payload::Voters),
    ]
}

#[derive(Clone, Debug)]
struct Made {
    kind: u8,
    vote: (Number, u64, bool),
    before: Option<Place>,
    /// Whether it goes on where the node's log ends, and whether the entries follow one another.
    goes_on: bool,
    follows: bool,
    entries: Vec<(Place, Payload)>,
    commit: Option<Place>,
}

fn made() -> impl Strategy<Value = Made> {
    let vote = (number(), 1..5u64, prop::bool::weighted(0.8));
    let entries = vec((place(), payload()), 0..4);
    let rest = (
        option::of(place()),
        prop::bool::weighted(0.6),
        prop::bool::weighted(0.8),
        entries,
        option::of(place()),
    );
    (0..10u8, vote, rest).prop_map(|(kind, vote, (before, goes_on, follows, entries, commit))| Made {
        kind,
        vote,
        before,
        goes_on,
        follows,
        entries,
        commit,
    })
}

impl Made {
    fn message(self, last: LogId<u64>) -> Message {
        let here = last.leader_id.term;
        let at = |(term, node, index): Place| id(term.from(here), node, index.from(last.index));
        let (term, node, committed) = self.vote;
        let vote = Vote { leader_id: openraft::LeaderId::new(term.from(here), node), committed };
        let before = if self.goes_on { Some(last) } else { self.before.map(at) };
        let mut next = before.map_or(0, |before| before.index.wrapping_add(1));
        let payload = |id, payload| match payload {
            Payload::Write => write(id),
            Payload::Members(nodes) => membership(id, members(nodes)),
            Payload::Voters(voters) => membership(id, voters_alone(&voters)),
        };
        let made = self.entries.into_iter().map(|(place, kind)| {
            let mut place = at(place);
            if self.follows {
                place = LogId::new(vote.leader_id, next);
                next = next.wrapping_add(1);
            }
            payload(place, kind)
        });
        let made = Vec::from_iter(made);
        let commit = self.commit.map(at);
        match self.kind {
            0 => Message::Question(VoteQuestion::new(Vote { committed: !committed, ..vote }, commit)),
            1 => {
                let set = made.iter().find_map(|entry| match &entry.payload {
                    EntryPayload::Membership(set) => Some(set.clone()),
                    _ => None,
                });
                let meta = SnapshotMeta {
                    last_log_id: commit,
                    last_membership: StoredMembership::new(before, set.unwrap_or_else(|| members([1, 2, 3]))),
                    snapshot_id: String::new(),
                };
                Message::Snapshot(vote, meta)
            }
            _ => Message::Entries(entries(vote, before, made, commit)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// About 4,000 messages, a third of which are taken.
    #[test]
    fn a_node_that_is_told_anything_serves_and_starts_again(made in vec(made(), 64)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let node = Node::follower().await;
            let mut told = Vec::new();
            for made in made {
                let message = made.message(node.last());
                let outcome = node.tell(message.clone()).await.map_err(|status| status.to_string());
                told.push(format!("{message:?}: {outcome:?}"));
                let state = node.raft.metrics().borrow().running_state.clone();
                if let Err(error) = state {
                    panic!("{error} after {told:#?}");
                }
            }
            if let Err(problem) = node.serves(Standing::Voter).await {
                panic!("{problem} after {told:#?}");
            }
        });
    }
}
