use std::{fs, io, sync::Arc};

use openraft::{
    AnyError, Entry, ErrorSubject, ErrorVerb, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot,
    SnapshotMeta, StorageError, StorageIOError, storage::RaftStateMachine,
};
use redb::Durability;
use tokio::task::spawn_blocking;

use super::{
    Change, StoreError, snapshot,
    snapshots::{Part, name},
    state::{Kept, KvState, Membership},
};
use crate::raft::{Member, Outcome, TypeConfig};

/// The key-value store, as Raft applies entries to it. Clones share it.
#[derive(Clone, Debug)]
pub struct StateMachine(Arc<KvState>);

impl StateMachine {
    pub(super) fn new(state: Arc<KvState>) -> Self {
        Self(state)
    }

    /// Does this with the state where it may block.
    async fn with<T: Send + 'static>(
        &self,
        (subject, verb): (ErrorSubject<u64>, ErrorVerb),
        work: impl FnOnce(&KvState) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StorageError<u64>> {
        let state = self.0.clone();
        let outcome = spawn_blocking(move || work(&state)).await;
        let failed = |error: AnyError| StorageIOError::new(subject.clone(), verb, error).into();
        match outcome {
            Ok(outcome) => outcome.map_err(|error| {
                self.0.file.note(&error);
                failed(AnyError::error(error))
            }),
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
            // A newer one could take its place between the look and the opening.
            let _publishing = state.snapshots().publish()?;
            state.kept()?.map(|kept| open(state, kept)).transpose()
        })
        .await
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
        self.with(snapshot_error(ErrorVerb::Write), build).await
    }
}

fn open(state: &KvState, kept: Kept) -> Result<Snapshot<TypeConfig>, StoreError> {
    let path = state.snapshots().at(&kept.name);
    let file = fs::File::open(&path).map_err(|source| StoreError::disk(&path, source))?;
    Ok(Snapshot { meta: kept.meta, snapshot: Box::new(tokio::fs::File::from_std(file)) })
}

/// A file below the directory of snapshots that has no name, and is gone when it is closed.
fn unnamed(state: &KvState) -> Result<fs::File, StoreError> {
    let path = state.snapshots().path();
    tempfile::tempfile_in(path).map_err(|source| StoreError::disk(path, source))
}

/// Builds a snapshot, while entries are applied and another may be installed.
fn build(state: &KvState) -> Result<Snapshot<TypeConfig>, StoreError> {
    let part = state.snapshots().part()?;
    let head = snapshot::write(&state.file, &part.file)?;
    keep(state, &part, head)
}

/// Keeps the snapshot that was built, unless there is a newer one by now.
pub(super) fn keep(
    state: &KvState,
    part: &Part,
    head: snapshot::Head,
) -> Result<Snapshot<TypeConfig>, StoreError> {
    let _publishing = state.snapshots().publish()?;
    if let Some(kept) = state.kept()?
        && kept.meta.last_log_id > head.applied
    {
        // One has been installed meanwhile.
        return open(state, kept);
    }
    let name = name(head.applied);
    let _held = state.snapshots().name(part, &name)?;
    let meta = SnapshotMeta {
        last_log_id: head.applied,
        last_membership: head.membership,
        snapshot_id: name.clone(),
    };
    let kept = Kept { name, meta };
    // On disk with everything that was applied: entries leave the log once there is a snapshot of them.
    state.file.write(Durability::Immediate, |transaction| state.keep(transaction, &kept))?;
    state.tidy()?;
    open(state, kept)
}

/// Puts a snapshot in place of what the state machine holds.
pub(super) fn install(
    state: &KvState,
    meta: SnapshotMeta<u64, Member>,
    mut received: fs::File,
) -> Result<(), StoreError> {
    let _publishing = state.snapshots().publish()?;
    let name = name(meta.last_log_id);
    let failed = |source| state.snapshots().failed(source);
    let mut held = None;
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
        // One that another member has sent is there already.
        if !state.snapshots().at(&name).exists() {
            let part = state.snapshots().part()?;
            io::Seek::rewind(&mut received).map_err(failed)?;
            io::copy(&mut received, &mut &part.file).map_err(failed)?;
            held = Some(state.snapshots().name(&part, &name)?);
        }
        let kept =
            Kept { name: name.clone(), meta: SnapshotMeta { snapshot_id: name.clone(), ..meta.clone() } };
        state.keep(transaction, &kept)
    })?;
    state.publish(Change::Replaced);
    state.tidy()
}
