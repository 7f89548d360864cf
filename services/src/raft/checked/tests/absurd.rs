//! Single messages, each of which ends a Raft that believes it.

use openraft::StoredMembership;

use super::{node::Message, *};

const LEADER: Vote<u64> = Vote { leader_id: openraft::LeaderId { term: 2, node_id: 2 }, committed: true };

fn snapshot(last: LogId<u64>, set: Membership<u64, Member>) -> Message {
    let meta = SnapshotMeta {
        last_log_id: Some(last),
        last_membership: StoredMembership::new(Some(last), set),
        snapshot_id: String::new(),
    };
    Message::Snapshot(LEADER, meta)
}

/// What they are, the messages, and what the refusal says.
fn messages() -> Vec<(&'static str, Message, &'static str)> {
    let last = Some(id(1, 2, 3));
    let all = || members([SELF, 2, 3]);
    let says = |entry: Entry<TypeConfig>| Message::Entries(entries(LEADER, last, vec![entry], None));
    vec![
        (
            "the last of all terms",
            Message::Entries(entries(Vote::new_committed(u64::MAX, 2), last, Vec::new(), None)),
            "invalid term 18446744073709551615",
        ),
        (
            "the last of all terms, in a question",
            Message::Question(VoteQuestion::new(Vote::new(u64::MAX, 2), last)),
            "invalid term 18446744073709551615",
        ),
        ("a gap", says(write(id(2, 2, 9))), "leaves a gap; expected index 4"),
        (
            "an entry of a later term than its leader's",
            says(write(id(9, 2, 4))),
            "is of a later term than the vote",
        ),
        (
            "entries that fall",
            Message::Entries(entries(LEADER, last, vec![write(id(2, 2, 4)), write(id(1, 2, 5))], None)),
            "is of an earlier term than",
        ),
        (
            "entries of a candidate",
            Message::Entries(entries(Vote::new(2, 2), last, vec![write(id(2, 2, 4))], None)),
            "expected an elected leader",
        ),
        (
            "an elected leader that is this node",
            Message::Entries(entries(Vote::new_committed(2, SELF), last, Vec::new(), None)),
            "is for this node",
        ),
        (
            "another entry at a committed index",
            Message::Entries(entries(LEADER, Some(id(2, 2, 1)), Vec::new(), Some(id(2, 2, 1)))),
            "contradicts this node's log, which is committed up to T1-N2-2",
        ),
        (
            "a commit of an earlier term far beyond",
            Message::Entries(entries(LEADER, last, vec![write(id(2, 2, 4))], Some(id(1, 2, 100)))),
            "contradicts the entry",
        ),
        (
            "a voter that is no member",
            says(membership(id(2, 2, 4), voters_alone(&[SELF, 9]))),
            "its voter 9 is no member",
        ),
        ("no voters", says(membership(id(2, 2, 4), voters_alone(&[]))), "it has no voters"),
        (
            "the last of all indexes",
            snapshot(id(2, 2, u64::MAX), all()),
            "invalid log index 18446744073709551615",
        ),
        ("a snapshot that leaps", snapshot(id(2, 2, 1 << 50), all()), "it leaps"),
        ("a snapshot that goes back", snapshot(id(2, 2, 1), all()), "contradicts this node's log"),
        (
            "a snapshot without this node",
            snapshot(id(2, 2, 100), members([2, 3])),
            "this node is in its cluster",
        ),
        ("a snapshot without voters", snapshot(id(2, 2, 100), voters_alone(&[])), "it has no voters"),
    ]
}

#[tokio::test]
async fn an_absurd_message_is_refused_and_leaves_a_node_that_serves_and_starts_again() {
    for (what, message, expected) in messages() {
        let node = Node::follower().await;
        let refused = node.tell(message).await.expect_err(what);
        assert!(refused.is_not_processed() && refused.message().contains(expected), "{what}: {refused}");
        node.serves(Standing::Unknown).await.unwrap_or_else(|problem| panic!("after {what}: {problem}"));
    }
}

/// What the checks are for: most of these end a Raft that believes them, and the others have it follow or believe what is not so.
#[tokio::test]
async fn absurd_messages_end_a_raft_that_believes_them() {
    let mut ended = Vec::new();
    for (what, message, _) in messages() {
        let node = Node::follower().await;
        node.tell_bare(message).await;
        let outcome = node.serves(Standing::Unknown).await;
        eprintln!("{what}: {outcome:?}");
        if outcome.is_err() {
            ended.push(what);
        }
    }
    assert!(ended.contains(&"the last of all terms"), "{ended:?}");
    assert!(ended.len() >= 7, "{ended:?}");
}

#[tokio::test]
async fn what_honest_members_say_is_taken() {
    let node = Node::follower().await;
    let say = async |request| node.checked.append_entries(request, Standing::Unknown).await.unwrap();
    // Again, and with less.
    let again = |from: u64| (from..=3).map(|index| write(id(1, 2, index))).collect::<Vec<_>>();
    let one = Vote::new_committed(1, 2);
    for from in [2, 3] {
        let before = Some(id(1, 2, from - 1));
        assert_eq!(
            say(entries(one, before, again(from), Some(id(1, 2, 2)))).await,
            AppendEntriesResponse::Success
        );
    }
    // A leader that is ahead has committed more than it sends.
    let beyond = entries(one, Some(id(1, 2, 3)), vec![write(id(1, 2, 4))], Some(id(1, 2, 9)));
    assert_eq!(say(beyond).await, AppendEntriesResponse::Success);
    let applied = node.raft.wait(None).applied_index(Some(4), "applied").await.unwrap();
    assert_eq!(applied.last_log_index, Some(4));
    // Another leader takes back what is not committed.
    let unsure = entries(one, Some(id(1, 2, 4)), vec![write(id(1, 2, 5)), write(id(1, 2, 6))], None);
    assert_eq!(say(unsure).await, AppendEntriesResponse::Success);
    let two = Vote::new_committed(2, 3);
    assert_eq!(say(entries(two, Some(id(2, 3, 7)), Vec::new(), None)).await, AppendEntriesResponse::Conflict);
    let other = entries(two, Some(id(1, 2, 4)), vec![write(id(2, 3, 5))], Some(id(2, 3, 5)));
    assert_eq!(say(other).await, AppendEntriesResponse::Success);
    // A commit that is behind the entries.
    for index in 6..9 {
        let next = entries(two, Some(id(2, 3, index - 1)), vec![write(id(2, 3, index))], None);
        assert_eq!(say(next).await, AppendEntriesResponse::Success);
    }
    say(entries(two, Some(id(2, 3, 8)), Vec::new(), Some(id(2, 3, 7)))).await;
    node.raft.wait(None).applied_index(Some(7), "applied").await.unwrap();
    // The old leader is told of the new one.
    let late = entries(one, Some(id(1, 2, 4)), vec![write(id(1, 2, 5))], None);
    assert_eq!(say(late).await, AppendEntriesResponse::HigherVote(two));
    node.serves(Standing::Unknown).await.unwrap();
}

#[tokio::test]
async fn a_vote_is_that_of_a_voter_or_of_a_leader_that_leaves() {
    let node = Node::follower().await;
    let last = node.last();
    let stranger = entries(Vote::new_committed(2, 4), Some(last), Vec::new(), None);
    let refused = node.tell(Message::Entries(stranger.clone())).await.unwrap_err();
    assert_eq!(refused.code(), polywire::Code::PermissionDenied, "{refused}");
    let question = VoteQuestion::new(Vote::new(2, 4), Some(last));
    node.tell(Message::Question(question)).await.unwrap_err();
    // Other members say that it votes by now.
    node.checked.append_entries(stranger, Standing::Voter).await.unwrap();
    // It takes itself out, and leads until that is committed.
    let next = id(2, 4, last.index + 1);
    let leaves = membership(next, members([SELF, 2, 3]));
    let leader = Vote::new_committed(2, 4);
    node.tell(Message::Entries(entries(leader, Some(last), vec![leaves], None))).await.unwrap();
    node.tell(Message::Entries(entries(leader, Some(next), Vec::new(), Some(next)))).await.unwrap();
    node.serves(Standing::Unknown).await.unwrap();
}

#[tokio::test]
async fn a_term_leaps_no_further_than_elections_can() {
    let node = Node::follower().await;
    let last = Some(node.last());
    let leader = |term| Message::Entries(entries(Vote::new_committed(term, 2), last, Vec::new(), None));
    let refused = node.tell(leader(1 + (1 << 28) + 1)).await.unwrap_err();
    assert!(refused.message().contains("leaps: this node is in term 1"), "{refused}");
    node.tell(leader(1 + (1 << 28))).await.unwrap();
    node.serves(Standing::Unknown).await.unwrap();
}
