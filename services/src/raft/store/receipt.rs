use std::{fs, io, sync::Arc};

use openraft::{LogId, Snapshot, SnapshotMeta, Vote, error::Fatal, raft::SnapshotResponse};
use tokio::{io::AsyncWriteExt as _, task::spawn_blocking};

use super::{
    StoreError, snapshot,
    snapshots::{Held, Part, name},
    state::KvState,
};
use crate::raft::{Member, TypeConfig};

/// A snapshot that is being received. Dropping it removes it.
#[derive(Debug)]
pub struct Receipt {
    state: Arc<KvState>,
    part: Part,
    file: tokio::fs::File,
}

impl Receipt {
    pub(super) async fn begin(state: Arc<KvState>) -> Result<Self, StoreError> {
        blocking(state, |state| {
            let part = state.snapshots().part()?;
            let file = part.file.try_clone().map_err(|source| state.snapshots().failed(source))?;
            Ok(Self { state: state.clone(), part, file: tokio::fs::File::from_std(file) })
        })
        .await
    }

    /// Appends to it.
    ///
    /// # Errors
    /// When the disk cannot be written.
    ///
    /// # Cancel safety
    /// Not safe: part of the data may be written. Drop the receipt then.
    pub async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.file.write_all(data).await
    }

    /// Checks it and puts it in place, so that the next start installs it if this node crashes before it is installed.
    ///
    /// # Errors
    /// [`StoreError::Snapshot`] where it is not whole, or not what `meta` says; others where the disk refuses.
    ///
    /// # Cancel safety
    /// Safe: the snapshot is in place and unused, or gone; the next one removes it.
    pub async fn finish(mut self, meta: SnapshotMeta<u64, Member>) -> Result<Received, StoreError> {
        let failed = |source| self.state.snapshots().failed(source);
        self.file.flush().await.map_err(failed)?;
        let Self { state, mut part, file: _ } = self;
        blocking(state, move |state| {
            let head = snapshot::inspect(&state.file, &mut part.file)?;
            if (head.applied, &head.membership) != (meta.last_log_id, &meta.last_membership) {
                return Err(StoreError::Snapshot { problem: other(head.applied, meta.last_log_id) });
            }
            let name = name(meta.last_log_id);
            let held = state.snapshots().name(&part, &name)?;
            let path = state.snapshots().at(&name);
            let file = fs::File::open(&path).map_err(|source| StoreError::disk(&path, source))?;
            Ok(Received { state: state.clone(), meta, file, held })
        })
        .await
    }
}

/// A snapshot that is whole and on disk. It stays there until it is superseded or this is dropped.
#[derive(Debug)]
pub struct Received {
    state: Arc<KvState>,
    meta: SnapshotMeta<u64, Member>,
    file: fs::File,
    held: Held,
}

impl Received {
    /// What it is of.
    pub(in crate::raft) fn meta(&self) -> &SnapshotMeta<u64, Member> {
        &self.meta
    }

    /// Hands it to Raft, and waits until Raft has installed or refused it.
    ///
    /// # Errors
    /// When Raft has stopped.
    ///
    /// # Cancel safety
    /// Not safe: Raft continues and needs the file that a dropped call removes.
    pub async fn install(
        self,
        raft: openraft::Raft<TypeConfig>,
        vote: Vote<u64>,
    ) -> Result<SnapshotResponse<u64>, Fatal<u64>> {
        let Self { state, meta, file, held } = self;
        let snapshot = Snapshot { meta, snapshot: Box::new(tokio::fs::File::from_std(file)) };
        let answer = raft.install_full_snapshot(vote, snapshot).await?;
        let tidied = blocking(state, move |state| {
            let _publishing = state.snapshots().publish()?;
            drop(held);
            state.tidy()
        });
        if let Err(error) = tidied.await {
            tracing::debug!(%error, "a snapshot of no use is left until the next one comes");
        }
        Ok(answer)
    }
}

fn other(found: Option<LogId<u64>>, announced: Option<LogId<u64>>) -> String {
    format!("a snapshot is of {}, and was announced as of {}", name(found), name(announced))
}

async fn blocking<T: Send + 'static>(
    state: Arc<KvState>,
    work: impl FnOnce(&Arc<KvState>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let path = state.path().to_owned();
    let working = spawn_blocking(move || work(&state));
    working.await.unwrap_or_else(|error| Err(StoreError::disk(&path, io::Error::other(error))))
}
