use std::collections::BTreeMap;

use openraft::{LogId, RaftLogId as _, SnapshotMeta, raft::AppendEntriesRequest};

use super::refusal::Refusal;
use crate::raft::{
    Member, TypeConfig,
    store::{LogStore, Tail},
};

/// This node's own entries at the places that a message names.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    pub(super) tail: Tail,
    pub(super) ids: BTreeMap<u64, LogId<u64>>,
}

impl Own {
    /// The entries at the places of this request.
    pub(super) async fn read(
        log: &LogStore,
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> Result<Self, Refusal> {
        let ids = request.entries.iter().map(|entry| *entry.get_log_id()).chain(request.prev_log_id);
        let (mut least, mut most) = (u64::MAX, 0);
        for id in ids {
            (least, most) = (least.min(id.index), most.max(id.index));
        }
        let mut own = Self { tail: log.tail(), ids: BTreeMap::new() };
        own.load(log, least, most).await?;
        if let Some(commit) = request.leader_commit {
            own.load(log, commit.index, commit.index).await?;
        }
        Ok(own)
    }

    /// The entry at the place of the last one of this snapshot.
    pub(super) async fn of_snapshot(
        log: &LogStore,
        meta: &SnapshotMeta<u64, Member>,
    ) -> Result<Self, Refusal> {
        let mut own = Self { tail: log.tail(), ids: BTreeMap::new() };
        if let Some(last) = meta.last_log_id {
            own.load(log, last.index, last.index).await?;
        }
        Ok(own)
    }

    async fn load(&mut self, log: &LogStore, least: u64, most: u64) -> Result<(), Refusal> {
        let Some(range) = self.tail.unknown(least, most) else { return Ok(()) };
        let found = log.ids(range).await;
        let found =
            found.map_err(|error| Refusal::busy(format!("this node cannot read its log: {error}")))?;
        self.ids.extend(found.into_iter().map(|id| (id.index, id)));
        Ok(())
    }

    /// The entry at this index; `None` where there is none, or none any more.
    pub(super) fn at(&self, index: u64) -> Option<LogId<u64>> {
        self.tail.at(index).or_else(|| self.ids.get(&index).copied())
    }

    /// The index behind the last entry.
    pub(super) fn end(&self) -> u64 {
        self.tail.last.map_or(0, |last| last.index + 1)
    }
}
