//! A member that is killed while it takes a snapshot in.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use polywire_proto::cluster::v1::{JoinRequest, StatusRequest};
use polywire_services::raft::{ClusterClient, store::Store};
use polywire_tests::{
    node::Node,
    patience::{PATIENCE, eventually},
};
use rustix::process::{Pid, Signal, kill_process};

use super::snapshots::Member;
use crate::node::connect;

/// What the snapshot is of: enough that each step takes a while.
const KEYS: usize = 24;
const VALUE: usize = 900 << 10;

/// How far the member is.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// It has this many bytes of the snapshot.
    Received(u64),
    /// It has the whole of it, and Raft has not been told.
    Whole,
    /// It puts it in place of what its store had.
    Installing,
}

impl Moment {
    /// Whether a member with these files is so far.
    fn has_come(self, raft: &Path) -> bool {
        let received = size_of(raft, "part");
        match self {
            Self::Received(bytes) => received >= bytes,
            Self::Whole => size_of(raft, "snapshot") > 0,
            Self::Installing => {
                let state = fs::metadata(raft.join("state.redb")).map_or(0, |metadata| metadata.len());
                size_of(raft, "snapshot") > 0 && state >= (KEYS * VALUE / 3) as u64
            }
        }
    }
}

/// How large the snapshots with this ending are.
fn size_of(raft: &Path, ending: &str) -> u64 {
    let entries = fs::read_dir(raft.join("snapshots")).into_iter().flatten().flatten();
    let fitting = entries.filter(|entry| entry.path().extension().is_some_and(|found| found == ending));
    fitting.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Kills the process as soon as it is so far.
fn kill_at(moment: Moment, pid: u32, raft: PathBuf) {
    let begun = Instant::now();
    while !moment.has_come(&raft) {
        assert!(begun.elapsed() < PATIENCE, "{moment:?} has not come");
        std::thread::sleep(Duration::from_micros(100));
    }
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_killed_when_a_snapshot_begins_to_come_starts_again_and_catches_up() {
    is_killed_at(Moment::Received(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_killed_in_the_middle_of_a_snapshot_starts_again_and_catches_up() {
    is_killed_at(Moment::Received((KEYS * VALUE / 2) as u64)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_killed_when_a_snapshot_is_whole_starts_again_and_catches_up() {
    is_killed_at(Moment::Whole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_killed_while_a_snapshot_is_installed_starts_again_and_catches_up() {
    is_killed_at(Moment::Installing).await;
}

async fn is_killed_at(moment: Moment) {
    let leader = Member::start("grpc").await;
    leader.write_and_purge_of(KEYS, VALUE).await;
    let member = Node::start(&[]).await;
    let raft = member.data_dir().join("raft");
    let join = JoinRequest { seed: leader.grpc.to_string(), ..JoinRequest::default() };
    let joining = ClusterClient::new(connect(member.grpc()).await);
    let joined = {
        let join = join.clone();
        tokio::spawn(async move { joining.join(join).await })
    };
    let (pid, files) = (member.pid(), raft.clone());
    tokio::task::spawn_blocking(move || kill_at(moment, pid, files)).await.unwrap();
    let killed = member.kill().await;
    assert!(joined.await.unwrap().is_err(), "it was killed before it had joined");
    assert!(moment.has_come(&raft), "nothing is gone of what it had");

    let member = killed.start().await;
    let client = ClusterClient::new(connect(member.grpc()).await);
    eventually("it joins", async || client.join(join.clone()).await.ok()).await;
    let goal = leader.handle.metrics().unwrap().last_log_index.unwrap();
    eventually("it catches up", async || {
        let status = client.status(StatusRequest::default()).await.ok()?;
        (status.applied_index >= goal).then_some(())
    })
    .await;
    let killed = member.kill().await;
    let reader = Store::open(&killed.data_dir().join("raft")).unwrap().reader();
    for key in 0..KEYS {
        let found = reader.get(key.to_string()).await.unwrap().unwrap();
        assert!(found.value.len() == VALUE && found.value.iter().all(|byte| *byte == 0x55), "{key}");
    }
}
