use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use polywire::{
    ComponentError, Context, Status,
    tokens::{TokenChange, TokenId, TokenRecord, TokenStore},
};
use polywire_proto::access::v1;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Command, Outcome,
    forward::{FORWARDED, Refusal, current, refusal},
    handle::Handle,
    running::Running,
    store::{RESERVED, Stored},
    token_records::{TokenRecords, TokenRecordsClient},
};

/// The records of tokens of a cluster, the same at all its members: JSON values in reserved keys of the replicated store.
/// Clones share what this member has learnt of them.
#[derive(Clone)]
pub(super) struct ClusterTokens(Arc<Known>);

struct Known {
    handle: Handle,
    records: RwLock<BTreeMap<TokenId, TokenRecord>>,
    generation: AtomicU64,
}

/// How many records are read at a time, and how many bytes of them.
const PAGE: usize = 1_000;
const PAGE_BYTES: usize = 1 << 20;

impl ClusterTokens {
    pub(super) fn new(handle: Handle) -> Self {
        Self(Arc::new(Known { handle, records: RwLock::default(), generation: AtomicU64::new(0) }))
    }

    /// Reads what this member has applied. A node must know what is revoked before it serves.
    pub(super) async fn load(&self) -> Result<(), ComponentError> {
        let running = self.0.handle.running()?;
        let records = read(&running).await?;
        drop(running);
        self.set(records);
        Ok(())
    }

    /// Follows the replicated records until the node ends.
    pub(super) async fn follow(self) {
        let mut starts = self.0.handle.starts();
        loop {
            starts.borrow_and_update();
            let changes = self.0.handle.running().ok().map(|running| running.reader.reserved_changes());
            if let Some(mut changes) = changes {
                loop {
                    changes.borrow_and_update();
                    if let Err(error) = self.load().await {
                        // The storage's health says so too.
                        tracing::warn!(%error, "the records of tokens cannot be read; the previous ones apply");
                    }
                    tokio::select! {
                        // The sender is gone once the store is closed.
                        changed = changes.changed() => if changed.is_err() { break },
                        changed = starts.changed() => match changed {
                            Ok(()) => { starts.mark_changed(); break }
                            Err(_) => return,
                        },
                    }
                }
            }
            if starts.changed().await.is_err() {
                return;
            }
        }
    }

    fn set(&self, records: BTreeMap<TokenId, TokenRecord>) {
        *self.0.records.write() = records;
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes up a change of the cluster that this member may not have applied yet.
    fn learn(&self, record: TokenRecord) {
        let mut records = self.0.records.write();
        let is_revoked = records.get(&record.id).is_some_and(|known| known.revoked);
        let revoked = record.revoked || is_revoked;
        let mut record = record;
        record.revoked = revoked;
        records.insert(record.id, record);
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    async fn change_in_cluster(&self, cx: &Context, change: TokenChange) -> Result<TokenRecord, Status> {
        let here = |running: Arc<Running>| {
            let change = change.clone();
            async move { write(&running, change).await }
        };
        let there = |channel, left| {
            let change = change.clone();
            async move {
                let client = TokenRecordsClient::new(channel);
                let request = v1::ChangeRequest { change: encode(&change)?.into() };
                let answer =
                    client.change(request).context(cx).timeout(left).metadata(FORWARDED, "1").await?;
                decode(&answer.record)
            }
        };
        // A use that is counted twice would be one too many.
        let repeatable = !matches!(change, TokenChange::Use { .. });
        self.0.handle.at_leader(cx, repeatable, here, there).await
    }
}

impl TokenStore for ClusterTokens {
    fn is_revoked(&self, id: TokenId) -> bool {
        self.0.records.read().get(&id).is_some_and(|record| record.revoked)
    }

    fn record(&self, id: TokenId) -> Option<TokenRecord> {
        self.0.records.read().get(&id).cloned()
    }

    fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenRecord>, Status>> {
        let records = self.0.records.read().values().cloned().collect();
        Box::pin(std::future::ready(Ok(records)))
    }

    fn change(&self, change: TokenChange) -> BoxFuture<'_, Result<(), Status>> {
        Box::pin(async move {
            let record = self.change_in_cluster(&Context::new(), change).await?;
            self.learn(record);
            Ok(())
        })
    }
}

impl TokenRecords for ClusterTokens {
    async fn change(&self, cx: &Context, request: v1::ChangeRequest) -> Result<v1::ChangeResponse, Status> {
        let change: TokenChange = serde_json::from_slice(&request.change).map_err(|error| {
            Status::invalid_argument(format!("invalid change of a token's record: {error}"))
        })?;
        let record = self.change_in_cluster(cx, change).await?;
        Ok(v1::ChangeResponse { record: encode(&record)?.into() })
    }
}

/// Writes the change, as the leader: reads the record as the cluster has agreed on it, and writes it back unless it has
/// changed meanwhile.
async fn write(running: &Running, change: TokenChange) -> Result<TokenRecord, Refusal> {
    loop {
        current(running).await?;
        let key = key(change.id());
        let stored = running.reader.get(key.clone()).await.map_err(unreadable)?;
        let before = stored.as_ref().map(|stored| decode(&stored.value)).transpose()?;
        let record = change.clone().apply(before).map_err(Status::from)?;
        let value = Some(encode(&record)?.into());
        if put(running, key, value, stored.as_ref()).await? {
            if matches!(change, TokenChange::Issue(_)) {
                tidy(running).await?;
            }
            return Ok(record);
        }
    }
}

/// Whether the key was written: it may have changed meanwhile.
async fn put(
    running: &Running,
    key: String,
    value: Option<bytes::Bytes>,
    stored: Option<&Stored>,
) -> Result<bool, Refusal> {
    let expected_revision = Some(stored.map_or(0, |stored| stored.revision));
    let command = Command { key, value, expected_revision, request_id: None };
    let written = running.raft.client_write(command).await.map_err(refusal)?;
    Ok(matches!(written.data, Outcome::Written { .. }))
}

/// Removes the records of tokens that have expired long ago.
async fn tidy(running: &Running) -> Result<(), Refusal> {
    let (now, mut after) = (SystemTime::now(), None);
    loop {
        let page = running.reader.list(prefix(), after, PAGE, PAGE_BYTES).await.map_err(unreadable)?;
        let last = page.keys.last().map(|(key, _)| key.clone());
        for (key, stored) in page.keys {
            let record: TokenRecord = decode(&stored.value)?;
            if record.is_obsolete(now) {
                put(running, key, None, Some(&stored)).await?;
            }
        }
        match last {
            Some(last) if page.more => after = Some(last),
            _ => return Ok(()),
        }
    }
}

/// All records, as this member has applied them.
async fn read(running: &Running) -> Result<BTreeMap<TokenId, TokenRecord>, ComponentError> {
    let mut records = BTreeMap::new();
    let mut after = None;
    loop {
        let page = running.reader.list(prefix(), after, PAGE, PAGE_BYTES).await?;
        for (_, stored) in &page.keys {
            let record: TokenRecord = serde_json::from_slice(&stored.value)?;
            records.insert(record.id, record);
        }
        match page.keys.into_iter().next_back() {
            Some((last, _)) if page.more => after = Some(last),
            _ => return Ok(records),
        }
    }
}

fn prefix() -> String {
    format!("{RESERVED}tokens/")
}

fn key(id: TokenId) -> String {
    format!("{RESERVED}tokens/{id}")
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Status> {
    serde_json::to_vec(value).map_err(|error| Status::internal(error.to_string()))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Status> {
    let malformed = |error| Status::internal(format!("malformed record of a token: {error}"));
    serde_json::from_slice(bytes).map_err(malformed)
}

fn unreadable(error: super::store::StoreError) -> Refusal {
    Refusal::Status(Status::internal(error.to_string()))
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl fmt::Debug for ClusterTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterTokens").field("records", &self.0.records.read().len()).finish_non_exhaustive()
    }
}
