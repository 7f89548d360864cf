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
        Ok((directory, store.log(), store.state_machine()))
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
    let entries: Vec<_> = (1..=5).map(|index| entry(index, put("key", &index.to_string()))).collect();
    store.log().blocking_append(entries.clone()).await.unwrap();
    drop(store);
    assert_eq!(place.open().log().try_get_log_entries(..).await.unwrap(), entries);
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
            store.log().blocking_append([entry(index, command.clone())]).await.unwrap();
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
async fn a_snapshot_carries_everything_to_another_store() {
    let (place, other) = (Place::new(), Place::new());
    let (store, copy) = (place.open(), other.open());
    let retried = || Command { request_id: Some("one".to_owned()), ..put("a", "1") };
    apply(&store, 1, retried()).await;
    apply(&store, 2, put("b", "2")).await;
    apply(&copy, 1, put("stale", "gone after that")).await;
    let snapshot = store.state_machine().build_snapshot().await.unwrap();
    let mut changes = copy.reader().changes();
    copy.state_machine().install_snapshot(&snapshot.meta, snapshot.snapshot).await.unwrap();
    assert_eq!(changes.next().await, Ok(Some(Change::Replaced)));
    drop(copy);
    let copy = other.open();
    let page = async |store: &Store| store.reader().list(String::new(), None, 10, usize::MAX).await.unwrap();
    assert_eq!(page(&copy).await, page(&store).await);
    assert_eq!(copy.state_machine().applied_state().await.unwrap().0.unwrap().index, 2);
    assert_eq!(apply(&copy, 3, retried()).await, Outcome::Written { revision: 1, existed: false });
    let kept = copy.state_machine().get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(kept.meta.last_log_id, snapshot.meta.last_log_id);
}

#[tokio::test]
async fn a_snapshot_that_is_not_whole_changes_nothing() {
    let (place, other) = (Place::new(), Place::new());
    let (store, copy) = (place.open(), other.open());
    apply(&store, 1, put("a", "1")).await;
    apply(&copy, 1, put("b", "2")).await;
    let snapshot = store.state_machine().build_snapshot().await.unwrap();
    let length = snapshot.snapshot.metadata().await.unwrap().len();
    let path = place.path().join("snapshots").join(&snapshot.meta.snapshot_id);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 9).unwrap();
    let error = copy.state_machine().install_snapshot(&snapshot.meta, snapshot.snapshot).await.unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert!(copy.reader().get("b".to_owned()).await.unwrap().is_some());
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

/// What has been applied last.
async fn applied(store: &Store) -> u64 {
    store.state_machine().applied_state().await.unwrap().0.map_or(0, |id| id.index)
}

/// A snapshot of a store in which so many keys have been written, as its bytes.
async fn snapshot_of(writes: u64) -> (openraft::SnapshotMeta<u64, crate::raft::Member>, Vec<u8>) {
    let place = Place::new();
    let store = place.open();
    for index in 1..=writes {
        apply(&store, index, put(&format!("key {index}"), "value")).await;
    }
    let meta = store.state_machine().build_snapshot().await.unwrap().meta;
    let bytes = fs::read(place.path().join("snapshots").join(&meta.snapshot_id)).unwrap();
    (meta, bytes)
}

async fn receive(store: &Store, bytes: &[u8]) -> Receipt {
    let mut receipt = store.receive().await.unwrap();
    for chunk in bytes.chunks(10) {
        receipt.write(chunk).await.unwrap();
    }
    receipt
}

fn files(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path().join("snapshots")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Raft lets the entries go that a snapshot stands for before the snapshot is installed.
#[tokio::test]
async fn a_crash_between_the_end_of_the_log_and_the_snapshot_in_its_place_is_made_good() {
    let place = Place::new();
    let store = place.open();
    store.log().blocking_append((1..=3).map(|index| entry(index, put("key", "old")))).await.unwrap();
    apply(&store, 1, put("key", "old")).await;
    let (meta, bytes) = snapshot_of(5).await;
    let received = receive(&store, &bytes).await.finish(meta.clone()).await.unwrap();
    // What is built meanwhile leaves it where it is.
    store.state_machine().build_snapshot().await.unwrap();
    store.log().purge(meta.last_log_id.unwrap()).await.unwrap();
    drop((store, received));

    let store = place.open();
    assert_eq!(applied(&store).await, 5);
    assert!(store.reader().get("key 5".to_owned()).await.unwrap().is_some());
    assert_eq!(store.reader().get("key".to_owned()).await.unwrap(), None);
    assert_eq!(files(&place), [&*meta.snapshot_id]);
    let kept = store.state_machine().get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(kept.meta, meta);
    drop(store);
    assert_eq!(applied(&place.open()).await, 5, "and again");
}

#[tokio::test]
async fn a_log_that_begins_too_late_is_refused_where_no_snapshot_stands_for_the_rest() {
    let (meta, bytes) = snapshot_of(5).await;
    for left in [&bytes[..0], &bytes[..bytes.len() - 1]] {
        let place = Place::new();
        let store = place.open();
        let received = receive(&store, &bytes).await.finish(meta.clone()).await.unwrap();
        store.log().purge(meta.last_log_id.unwrap()).await.unwrap();
        drop((store, received));
        fs::write(place.path().join("snapshots").join(&meta.snapshot_id), left).unwrap();
        let error = Store::open(&place.path()).unwrap_err();
        assert!(error.to_string().contains("the log begins behind entry 5"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_snapshot_or_another_one_is_refused_before_raft_hears_of_it() {
    let place = Place::new();
    let store = place.open();
    let (meta, bytes) = snapshot_of(5).await;
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    let other = openraft::SnapshotMeta { last_log_id: Some(entry(6, put("", "")).log_id), ..meta.clone() };
    for (meta, bytes, problem) in [
        (&meta, &changed[..], "its checksum is wrong"),
        (&meta, &bytes[..bytes.len() - 7], "its checksum is wrong"),
        (&meta, &bytes[..3], "it is too short"),
        (&meta, &b"something else altogether, and longer"[..], "it is of another format"),
        (&other, &bytes[..], "a snapshot is of 1-5.snapshot, and was announced as of 1-6.snapshot"),
    ] {
        let error = receive(&store, bytes).await.finish(meta.clone()).await.unwrap_err();
        assert!(matches!(error, StoreError::Snapshot { .. }), "{error:?}");
        assert!(error.to_string().contains(problem), "{problem}: {error}");
    }
    assert!(files(&place).is_empty(), "nothing is left of them: {:?}", files(&place));
}

#[tokio::test]
async fn a_snapshot_that_is_built_while_a_newer_one_is_installed_neither_goes_nor_takes_its_place() {
    let place = Place::new();
    let store = place.open();
    apply(&store, 1, put("key", "old")).await;
    let state = store.state.clone();
    let part = state.snapshots().part().unwrap();
    let head = snapshot::write(&state.file, &part.file).unwrap();

    let (meta, bytes) = snapshot_of(5).await;
    let received = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut &received, &bytes).unwrap();
    let received = Box::new(tokio::fs::File::from_std(received));
    store.state_machine().install_snapshot(&meta, received).await.unwrap();
    assert_eq!(files(&place).len(), 2, "both are there: {:?}", files(&place));

    let built = machine::keep(&state, &part, head).unwrap();
    assert_eq!(built.meta, meta, "the newer one stands for the older");
    drop(part);
    let kept = store.state_machine().get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(kept.meta, meta);
    assert_eq!(files(&place), [meta.snapshot_id]);
}

#[tokio::test]
async fn a_store_that_has_made_way_for_another_leaves_its_directory_alone() {
    let place = Place::new();
    let old = place.open();
    apply(&old, 1, put("key", "old")).await;
    old.retire();
    fs::rename(place.path(), place.0.path().join("old")).unwrap();
    let new = place.open();
    old.state_machine().build_snapshot().await.unwrap_err();
    assert!(files(&place).is_empty(), "{:?}", files(&place));
    drop(new);
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
