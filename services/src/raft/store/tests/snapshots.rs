//! Snapshots: how they are built, received and installed.

use super::*;

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

#[tokio::test]
async fn a_snapshot_with_numbers_that_cannot_be_counted_on_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    let (store, copy) = (place.open(), other.open());
    let cases = [(1, 0, "a key is of a later revision"), (2, u64::MAX, "its revision cannot")];
    for (index, revision, expected) in cases {
        apply(&store, index, put("a", "1")).await;
        let file = &store.state.file;
        file.write(redb::Durability::Immediate, |transaction| file.put(transaction, "revision", &revision))
            .unwrap();
        let meta = store.state_machine().build_snapshot().await.unwrap().meta;
        let bytes = fs::read(place.path().join("snapshots").join(&meta.snapshot_id)).unwrap();
        let error = receive(&copy, &bytes).await.finish(meta).await.unwrap_err();
        assert!(matches!(&error, StoreError::Snapshot { problem } if problem.contains(expected)), "{error}");
    }
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
    store.log().blocking_append((0..=3).map(|index| entry(index, put("key", "old")))).await.unwrap();
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
        assert!(error.to_string().contains("the log starts after entry 5"), "{error}");
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
