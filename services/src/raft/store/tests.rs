mod snapshots;

use std::fs;

use bytes::Bytes;
use openraft::{
    Entry, EntryPayload, LogId, RaftLogReader as _, RaftSnapshotBuilder as _, StorageError,
    storage::{RaftLogStorage as _, RaftLogStorageExt as _, RaftStateMachine as _},
    testing::{StoreBuilder, Suite},
};
use tempfile::TempDir;

use super::*;
use crate::raft::{Command, Outcome, TypeConfig};

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<u64>> {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("raft")).unwrap();
        let mut log = store.log();
        log.takes_gaps = true;
        Ok((directory, log, store.state_machine()))
    }
}

#[test]
fn the_storage_does_what_raft_asks_of_it() {
    Suite::test_all(Builder).unwrap();
}

fn entry(index: u64, command: Command) -> Entry<TypeConfig> {
    let log_id = LogId::new(openraft::CommittedLeaderId::new(1, 1), index);
    Entry { log_id, payload: EntryPayload::Normal(command) }
}

fn put(key: &str, value: &str) -> Command {
    let value = Some(Bytes::from(value.to_owned()));
    Command { key: key.to_owned(), value, expected_revision: None, request_id: None }
}

/// A store at some path that goes when the test does.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("raft")
    }

    fn open(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }
}

async fn apply(store: &Store, index: u64, command: Command) -> Outcome {
    store.state_machine().apply([entry(index, command)]).await.unwrap()[0]
}

#[tokio::test]
async fn what_was_appended_is_there_after_a_restart() {
    let place = Place::new();
    let store = place.open();
    let entries: Vec<_> = (0..5).map(|index| entry(index, put("key", &index.to_string()))).collect();
    store.log().blocking_append(entries.clone()).await.unwrap();
    drop(store);
    assert_eq!(place.open().log().try_get_log_entries(..).await.unwrap(), entries);
}

#[tokio::test]
async fn a_log_takes_no_gap_and_no_vote_that_falls_and_keeps_what_it_has() {
    let place = Place::new();
    let store = place.open();
    let mut log = store.log();
    let entries: Vec<_> = (0..5).map(|index| entry(index, put("key", "value"))).collect();
    log.blocking_append(entries[..3].to_vec()).await.unwrap();
    log.save_vote(&openraft::Vote::new_committed(7, 2)).await.unwrap();
    let gap = log.blocking_append([entries[4].clone()]).await.unwrap_err();
    assert!(gap.to_string().contains("leaves a gap; expected index 3"), "{gap}");
    log.blocking_append([entries[2].clone()]).await.unwrap_err();
    let mut earlier = entries[3].clone();
    earlier.log_id.leader_id.term = 0;
    log.blocking_append([earlier]).await.unwrap_err();
    for vote in [openraft::Vote::new(6, 9), openraft::Vote::new(7, 2)] {
        let falls = log.save_vote(&vote).await.unwrap_err();
        assert!(falls.to_string().contains("votes do not fall"), "{falls}");
    }
    store.state_machine().apply(entries[..2].to_vec()).await.unwrap();
    log.purge(entries[1].log_id).await.unwrap();
    log.purge(entries[0].log_id).await.unwrap_err();
    log.truncate(entries[1].log_id).await.unwrap_err();
    drop((log, store));
    let mut log = place.open().log();
    assert_eq!(log.try_get_log_entries(..).await.unwrap(), entries[2..3]);
    assert_eq!(log.read_vote().await.unwrap(), Some(openraft::Vote::new_committed(7, 2)));
    log.blocking_append(entries[3..].to_vec()).await.unwrap();
}

#[tokio::test]
async fn a_store_with_numbers_that_cannot_be_counted_on_is_not_opened() {
    let place = Place::new();
    place.open().log().save_vote(&openraft::Vote::new_committed(u64::MAX, 2)).await.unwrap();
    let error = Store::open(&place.path()).unwrap_err().to_string();
    let expected = "the vote is of the term 18446744073709551615, expected one below 2^62";
    assert!(error.contains(expected) && error.contains("let it join again"), "{error}");
}

#[tokio::test]
async fn a_second_process_is_told_that_the_directory_is_in_use() {
    let place = Place::new();
    let _first = place.open();
    let error = Store::open(&place.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("log.redb"), "{error}");
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_refused_at_any_length() {
    for name in ["log.redb", "state.redb"] {
        let place = Place::new();
        let store = place.open();
        for index in 1..=200 {
            let command = put(&format!("key {index}"), &"x".repeat(5_000));
            store.log().blocking_append([entry(index - 1, command.clone())]).await.unwrap();
            apply(&store, index, command).await;
        }
        store.probe().await.unwrap();
        drop(store);
        let whole = fs::read(place.path().join(name)).unwrap();
        for length in [0, 1, 100, 4_096, whole.len() / 4, whole.len() / 2, whole.len() * 3 / 4] {
            fs::write(place.path().join(name), &whole[..length]).unwrap();
            let Err(error) = Store::open(&place.path()) else { panic!("{name} of {length} bytes was taken") };
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("let it join again"), "{length}: {text}");
        }
        fs::write(place.path().join(name), &whole).unwrap();
        drop(place.open());
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_strange_is_refused() {
    let place = Place::new();
    drop(place.open());
    let log = place.path().join("log.redb");
    let whole = fs::read(&log).unwrap();
    fs::write(&log, "not a database".repeat(1_000)).unwrap();
    assert!(matches!(Store::open(&place.path()).unwrap_err(), StoreError::Broken { .. }));
    fs::copy(place.path().join("state.redb"), &log).unwrap();
    let error = Store::open(&place.path()).unwrap_err().to_string();
    assert!(error.contains("polywire.raft.state/1, expected polywire.raft.log/1"), "{error}");
    fs::remove_file(&log).unwrap();
    assert!(Store::open(&place.path()).unwrap_err().to_string().contains("log.redb"));
    fs::write(&log, whole).unwrap();
    drop(place.open());
}

#[tokio::test]
async fn a_write_with_the_same_request_id_happens_once() {
    let place = Place::new();
    let store = place.open();
    let again = || Command { request_id: Some("one".to_owned()), ..put("key", "first") };
    let written = Outcome::Written { revision: 1, existed: false };
    assert_eq!(apply(&store, 1, again()).await, written);
    assert_eq!(apply(&store, 2, put("key", "second")).await, Outcome::Written { revision: 2, existed: true });
    assert_eq!(apply(&store, 3, again()).await, written);
    let stored = store.reader().get("key".to_owned()).await.unwrap().unwrap();
    assert_eq!(stored, Stored { value: Bytes::from("second"), revision: 2, created: 1 });
}

#[tokio::test]
async fn a_write_happens_only_at_the_revision_that_it_expects() {
    let place = Place::new();
    let store = place.open();
    let expecting = |revision| Command { expected_revision: Some(revision), ..put("key", "value") };
    assert_eq!(apply(&store, 1, expecting(7)).await, Outcome::Conflict { revision: 0 });
    assert_eq!(apply(&store, 2, expecting(0)).await, Outcome::Written { revision: 1, existed: false });
    assert_eq!(apply(&store, 3, expecting(0)).await, Outcome::Conflict { revision: 1 });
    assert_eq!(apply(&store, 4, expecting(1)).await, Outcome::Written { revision: 2, existed: true });
    let delete = |revision| Command { value: None, ..expecting(revision) };
    assert_eq!(apply(&store, 5, delete(1)).await, Outcome::Conflict { revision: 2 });
    assert_eq!(apply(&store, 6, delete(2)).await, Outcome::Written { revision: 3, existed: true });
    assert_eq!(store.reader().get("key".to_owned()).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_is_cut_into_pages() {
    let place = Place::new();
    let store = place.open();
    for (index, key) in ["a", "b/1", "b/2", "b/3", "c"].into_iter().enumerate() {
        apply(&store, index as u64 + 1, put(key, key)).await;
    }
    let list = async |after: Option<&str>, limit, bytes| {
        let page =
            store.reader().list("b/".to_owned(), after.map(str::to_owned), limit, bytes).await.unwrap();
        let keys: Vec<_> = page.keys.into_iter().map(|(key, _)| key).collect();
        (keys.join(" "), page.more)
    };
    assert_eq!(list(None, 2, 1_000).await, ("b/1 b/2".to_owned(), true));
    assert_eq!(list(Some("b/2"), 2, 1_000).await, ("b/3".to_owned(), false));
    assert_eq!(list(None, 3, 1_000).await, ("b/1 b/2 b/3".to_owned(), false));
    assert_eq!(list(None, 10, 1).await, ("b/1".to_owned(), true));
}

#[tokio::test]
async fn a_store_knows_its_cluster_for_as_long_as_it_knows_its_vote() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(store.cluster(), None);
    store.found_cluster().await.unwrap();
    let founded = store.cluster().unwrap();
    assert_eq!(founded.len(), 32, "{founded}");
    drop(store);
    let store = place.open();
    assert_eq!(store.cluster(), Some(founded.clone()));
    let other = Place::new();
    other.open().found_cluster().await.unwrap();
    assert_ne!(other.open().cluster(), Some(founded));
    drop(store);
    fs::remove_dir_all(place.path()).unwrap();
    assert_eq!(place.open().cluster(), None);
}

#[tokio::test]
async fn a_store_of_before_clusters_had_ids_is_in_one_without() {
    let place = Place::new();
    place.open().log().save_vote(&openraft::Vote::new(1, 1)).await.unwrap();
    assert_eq!(place.open().cluster().as_deref(), Some(""));
}

#[tokio::test]
async fn the_runs_that_had_the_data_are_kept_and_so_is_that_they_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("raft");
    for run in [7, 8, 9] {
        let store = Store::open(&path).unwrap();
        store.begin_run(run).unwrap();
        store.begin_run(run).unwrap();
        assert_eq!(store.refused(), None);
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(*store.lineage(), [7, 8, 9]);
    store.refuse("it is a copy").await.unwrap();
    assert_eq!(store.refused().as_deref(), Some("it is a copy"));
    drop(store);
    assert_eq!(Store::open(&path).unwrap().refused().as_deref(), Some("it is a copy"));
}

#[test]
fn what_a_killed_process_left_beside_the_directory_is_removed() {
    let place = Place::new();
    drop(place.open());
    for name in ["raft.new", "raft.old"] {
        fs::create_dir(place.0.path().join(name)).unwrap();
        fs::write(place.0.path().join(name).join("log.redb"), "half").unwrap();
    }
    let _store = place.open();
    let left = fs::read_dir(place.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(Vec::from_iter(left), ["raft"]);
}
