use std::{fs, io, path::PathBuf, sync::Arc};

use openraft::{
    AnyError, Entry, ErrorSubject, ErrorVerb, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot,
    SnapshotMeta, StorageError, StorageIOError, storage::RaftStateMachine,
};
use redb::Durability;
use tokio::task::spawn_blocking;

use super::{
    Change, StoreError, file, snapshot,
    state::{Kept, Membership, State},
};
use crate::raft::{Member, Outcome, TypeConfig};

/// The key-value store, as Raft applies entries to it. Clones share it.
#[derive(Clone, Debug)]
pub struct StateMachine(Arc<State>);

impl StateMachine {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self(state)
    }

    /// Does this with the state where it may block.
    async fn with<T: Send + 'static>(
        &self,
        (subject, verb): (ErrorSubject<u64>, ErrorVerb),
        work: impl FnOnce(&State) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StorageError<u64>> {
        let state = self.0.clone();
        let outcome = spawn_blocking(move || work(&state)).await;
        let failed = |error: AnyError| StorageIOError::new(subject.clone(), verb, error).into();
        match outcome {
            Ok(outcome) => outcome.map_err(|error| failed(AnyError::error(error))),
            Err(error) => Err(failed(AnyError::error(error))),
        }
    }
}

const READ: (ErrorSubject<u64>, ErrorVerb) = (ErrorSubject::StateMachine, ErrorVerb::Read);
const WRITE: (ErrorSubject<u64>, ErrorVerb) = (ErrorSubject::StateMachine, ErrorVerb::Write);

const fn snapshot_error(verb: ErrorVerb) -> (ErrorSubject<u64>, ErrorVerb) {
    (ErrorSubject::Snapshot(None), verb)
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId<u64>>, Membership), StorageError<u64>> {
        self.with(READ, |state| Ok((state.applied()?, state.membership()?))).await
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().collect();
        self.with(WRITE, |state| state.apply(entries)).await
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<tokio::fs::File>, StorageError<u64>> {
        let file = self.with(snapshot_error(ErrorVerb::Write), unnamed).await?;
        Ok(Box::new(tokio::fs::File::from_std(file)))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, Member>,
        snapshot: Box<tokio::fs::File>,
    ) -> Result<(), StorageError<u64>> {
        let meta = meta.clone();
        let received = snapshot.into_std().await;
        self.with(snapshot_error(ErrorVerb::Write), move |state| install(state, meta, received)).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        self.with(snapshot_error(ErrorVerb::Read), |state| {
            let Some(kept) = state.kept()? else { return Ok(None) };
            let path = state.snapshots().join(kept.name);
            let file = fs::File::open(&path).map_err(|source| StoreError::disk(&path, source))?;
            Ok(Some(of(kept.meta, file)))
        })
        .await
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
        self.with(snapshot_error(ErrorVerb::Write), build).await
    }
}

fn of(meta: SnapshotMeta<u64, Member>, file: fs::File) -> Snapshot<TypeConfig> {
    Snapshot { meta, snapshot: Box::new(tokio::fs::File::from_std(file)) }
}

/// A file below the directory of snapshots that has no name, and is gone when it is closed.
fn unnamed(state: &State) -> Result<fs::File, StoreError> {
    tempfile::tempfile_in(state.snapshots()).map_err(|source| StoreError::disk(state.snapshots(), source))
}

fn build(state: &State) -> Result<Snapshot<TypeConfig>, StoreError> {
    let failed = |source| StoreError::disk(state.snapshots(), source);
    let unfinished = tempfile::NamedTempFile::new_in(state.snapshots()).map_err(failed)?;
    let head = snapshot::write(&state.file, unfinished.as_file())?;
    let name = name(head.applied);
    let path = state.snapshots().join(&name);
    unfinished.persist(&path).map_err(|error| failed(error.error))?;
    file::sync(state.snapshots()).map_err(failed)?;
    let meta = SnapshotMeta {
        last_log_id: head.applied,
        last_membership: head.membership,
        snapshot_id: name.clone(),
    };
    let kept = Kept { name, meta: meta.clone() };
    // On disk with everything that was applied: entries leave the log once there is a snapshot of them.
    state.file.write(Durability::Immediate, |transaction| state.keep(transaction, &kept))?;
    state.tidy()?;
    let file = fs::File::open(&path).map_err(|source| StoreError::disk(&path, source))?;
    Ok(of(meta, file))
}

fn install(state: &State, meta: SnapshotMeta<u64, Member>, mut received: fs::File) -> Result<(), StoreError> {
    let failed = |source| StoreError::disk(state.snapshots(), source);
    let name = name(meta.last_log_id);
    let path: PathBuf = state.snapshots().join(&name);
    state.file.write(Durability::Immediate, |transaction| {
        let head = snapshot::load(&state.file, &mut received, transaction)?;
        if head.applied != meta.last_log_id {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "a snapshot is of {:?}, and was announced as of {:?}",
                    head.applied, meta.last_log_id
                ),
            )));
        }
        let named = tempfile::NamedTempFile::new_in(state.snapshots()).map_err(failed)?;
        io::Seek::rewind(&mut received).map_err(failed)?;
        io::copy(&mut received, &mut named.as_file()).map_err(failed)?;
        named.as_file().sync_all().map_err(failed)?;
        named.persist(&path).map_err(|error| failed(error.error))?;
        file::sync(state.snapshots()).map_err(failed)?;
        let kept =
            Kept { name: name.clone(), meta: SnapshotMeta { snapshot_id: name.clone(), ..meta.clone() } };
        state.keep(transaction, &kept)
    })?;
    let _ = state.changes().send(Change::Replaced);
    state.tidy()
}

fn name(applied: Option<LogId<u64>>) -> String {
    match applied {
        Some(id) => format!("{}-{}.snapshot", id.leader_id.term, id.index),
        None => "empty.snapshot".to_owned(),
    }
}
