//! A small replicated key-value store.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use polywire::{Context, Status, Streaming, Truncated};
use polywire_proto::kv::v1;
use tokio::sync::watch;

use super::{
    Command, Outcome,
    forward::{FORWARDED, Refusal, current, refusal},
    handle::Handle,
    metrics::{Metrics, failure},
    running::Running,
    store::{Change, Changes, DiskFailure, Missed, RESERVED, Stored},
};

/// A small replicated key-value store. Reads and writes are linearizable at every member. A read that allows stale answers
/// reads the data of the member that is asked, also while the cluster has no leader.
#[polywire::service(package = "polywire.kv.v1")]
pub trait Kv {
    /// Reads a key. `NotFound` where there is no such key.
    #[rpc(idempotent)]
    async fn get(&self, cx: &Context, request: v1::GetRequest) -> Result<v1::GetResponse, Status>;

    /// Writes a key. `FailedPrecondition` where its revision is not the expected one. With a request id, a write that
    /// is sent again is applied once.
    async fn put(&self, cx: &Context, request: v1::PutRequest) -> Result<v1::PutResponse, Status>;

    /// Deletes a key; deleting a missing key succeeds. `FailedPrecondition` as for `put`.
    async fn delete(&self, cx: &Context, request: v1::DeleteRequest) -> Result<v1::DeleteResponse, Status>;

    /// Lists the keys with a prefix.
    #[rpc(idempotent)]
    async fn list(&self, cx: &Context, request: v1::ListRequest) -> Result<v1::ListResponse, Status>;

    /// Streams the changes from now on. Ends with `DataLoss` when the watcher falls behind or the member installs a
    /// snapshot: list, and watch again. Ends with `Unavailable` when this member's Raft fails: watch another member.
    async fn watch(
        &self,
        cx: &Context,
        request: v1::WatchRequest,
    ) -> Result<Streaming<v1::WatchResponse>, Status>;
}

/// How long a key may be, in bytes.
const KEY: usize = 1 << 10;

/// How long a request id may be, in bytes.
const REQUEST_ID: usize = 256;

/// How many keys one answer lists.
const LIST: usize = 1_000;

/// How many bytes of keys and values one answer has at most; it has one key at least.
const LIST_BYTES: usize = 1 << 20;

/// The key-value store of the cluster that this node is in.
#[derive(Clone, Debug)]
pub struct KvNode(Handle);

impl KvNode {
    /// The store of this handle's Raft.
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }

    async fn write(&self, cx: &Context, command: Command, there: Forward) -> Result<(u64, bool), Status> {
        check(&self.0, &command)?;
        let here = |running: Arc<Running>| {
            let command = command.clone();
            async move { Ok(running.raft.client_write(command).await.map_err(refusal)?.data) }
        };
        let repeatable = command.request_id.is_some();
        let outcome = self
            .0
            .at_leader(cx, repeatable, here, |channel, left| {
                let client = KvClient::new(channel);
                let there = there.clone();
                async move {
                    let (revision, existed) = match there {
                        Forward::Put(request) => {
                            let answer = client
                                .put(request)
                                .context(cx)
                                .timeout(left)
                                .metadata(FORWARDED, "1")
                                .await?;
                            (answer.revision, answer.existed)
                        }
                        Forward::Delete(request) => {
                            let answer = client
                                .delete(request)
                                .context(cx)
                                .timeout(left)
                                .metadata(FORWARDED, "1")
                                .await?;
                            (answer.revision, answer.existed)
                        }
                    };
                    Ok(Outcome::Written { revision, existed })
                }
            })
            .await?;
        match outcome {
            Outcome::Written { revision, existed } => Ok((revision, existed)),
            Outcome::Conflict { revision } => Err(conflict(&command, revision)),
            Outcome::None => Err(Status::internal("the write has no outcome")),
        }
    }
}

/// The request of a write, to be forwarded to the leader.
#[derive(Clone)]
enum Forward {
    Put(v1::PutRequest),
    Delete(v1::DeleteRequest),
}

impl Kv for KvNode {
    async fn get(&self, cx: &Context, request: v1::GetRequest) -> Result<v1::GetResponse, Status> {
        check_key(&request.key)?;
        if request.stale {
            return find(&*self.0.running()?, request.key).await.map_err(Status::from);
        }
        let here = |running: Arc<Running>| {
            let key = request.key.clone();
            async move {
                current(&running).await?;
                find(&running, key).await
            }
        };
        let there = |channel, left| {
            let request = request.clone();
            async move {
                KvClient::new(channel).get(request).context(cx).timeout(left).metadata(FORWARDED, "1").await
            }
        };
        self.0.at_leader(cx, true, here, there).await
    }

    async fn put(&self, cx: &Context, request: v1::PutRequest) -> Result<v1::PutResponse, Status> {
        let command = Command {
            key: request.key.clone(),
            value: Some(request.value.clone()),
            expected_revision: request.expected_revision,
            request_id: request.request_id.clone(),
        };
        let (revision, existed) = self.write(cx, command, Forward::Put(request)).await?;
        Ok(v1::PutResponse { revision, existed })
    }

    async fn delete(&self, cx: &Context, request: v1::DeleteRequest) -> Result<v1::DeleteResponse, Status> {
        let command = Command {
            key: request.key.clone(),
            value: None,
            expected_revision: request.expected_revision,
            request_id: request.request_id.clone(),
        };
        let (revision, existed) = self.write(cx, command, Forward::Delete(request)).await?;
        Ok(v1::DeleteResponse { revision, existed })
    }

    async fn list(&self, cx: &Context, request: v1::ListRequest) -> Result<v1::ListResponse, Status> {
        check_own(&request.prefix)?;
        if request.stale {
            return page(&*self.0.running()?, request).await.map_err(Status::from);
        }
        let here = |running: Arc<Running>| {
            let request = request.clone();
            async move {
                current(&running).await?;
                page(&running, request).await
            }
        };
        let there = |channel, left| {
            let request = request.clone();
            async move {
                KvClient::new(channel).list(request).context(cx).timeout(left).metadata(FORWARDED, "1").await
            }
        };
        self.0.at_leader(cx, true, here, there).await
    }

    async fn watch(
        &self,
        _: &Context,
        request: v1::WatchRequest,
    ) -> Result<Streaming<v1::WatchResponse>, Status> {
        let running = self.0.running()?;
        // Before the revision is read: a change in between is sent twice rather than never.
        let changes = running.reader.changes();
        let revision =
            running.reader.revision().await.map_err(|error| Status::internal(error.to_string()))?;
        let begun = v1::WatchResponse { revision, ..v1::WatchResponse::default() };
        let watch = KvWatch {
            prefix: request.prefix,
            changes,
            told: revision,
            begun: Some(begun),
            metrics: running.raft.metrics(),
            disk: running.disk.clone(),
            handle: self.0.clone(),
        };
        Ok(Streaming::new(stream::try_unfold(watch, |mut watch| async move {
            Ok(watch.next().await?.map(|change| (change, watch)))
        })))
    }
}

/// One watcher.
struct KvWatch {
    prefix: String,
    changes: Changes,
    told: u64,
    begun: Option<v1::WatchResponse>,
    /// Not the running Raft: a watcher must not keep the files of a cluster that the node has left.
    metrics: watch::Receiver<Metrics>,
    disk: DiskFailure,
    handle: Handle,
}

impl KvWatch {
    async fn next(&mut self) -> Result<Option<v1::WatchResponse>, Status> {
        if let Some(begun) = self.begun.take() {
            return Ok(Some(begun));
        }
        loop {
            let change = tokio::select! {
                change = self.changes.next() => change,
                failure = failed(&mut self.metrics, &self.disk) => return Err(failure),
                () = self.handle.draining() => return Ok(None),
            };
            match change {
                Ok(Some(Change::Written { key, value, revision }))
                    if revision > self.told && key.starts_with(&self.prefix) =>
                {
                    return Ok(Some(v1::WatchResponse { key, value, revision }));
                }
                Ok(Some(Change::Written { .. })) => {}
                Ok(Some(Change::Replaced)) => {
                    return Err(Status::data_loss(
                        "this member took a snapshot in place of single changes; list, and watch again",
                    ));
                }
                Err(Missed(missed)) => {
                    return Err(Status::data_loss(format!(
                        "the watcher fell behind and has missed {missed} changes; list, and watch again"
                    )));
                }
                Ok(None) => return Ok(None),
            }
        }
    }
}

/// Returns once Raft has failed.
async fn failed(metrics: &mut watch::Receiver<Metrics>, disk: &DiskFailure) -> Status {
    let failed = metrics.wait_for(|metrics| failure(metrics, disk).is_some()).await;
    match failed.ok().and_then(|metrics| failure(&metrics, disk)) {
        Some(failure) => failure,
        // It was stopped on purpose.
        None => std::future::pending().await,
    }
}

/// The value of a key at this node.
async fn find(running: &Running, key: String) -> Result<v1::GetResponse, Refusal> {
    let stored = running.reader.get(key.clone()).await.map_err(unreadable)?;
    let stored = stored.ok_or_else(|| missing(&key))?;
    Ok(v1::GetResponse { item: Some(item(key, stored)) })
}

/// The keys with a prefix, as this node has them.
async fn page(running: &Running, request: v1::ListRequest) -> Result<v1::ListResponse, Refusal> {
    let limit = match request.limit as usize {
        0 => LIST,
        limit => limit.min(LIST),
    };
    let after = Some(request.after).filter(|after| !after.is_empty());
    let listing = running.reader.list(request.prefix, after, limit, LIST_BYTES);
    let page = listing.await.map_err(unreadable)?;
    Ok(v1::ListResponse {
        items: page.keys.into_iter().map(|(key, stored)| item(key, stored)).collect(),
        more: page.more,
        revision: page.revision,
    })
}

fn check(handle: &Handle, command: &Command) -> Result<(), Status> {
    check_key(&command.key)?;
    let most = handle.running()?.max_value_bytes;
    let length = command.value.as_ref().map_or(0, Bytes::len);
    if length > most {
        let problem = format!("value too large: expected at most {most} bytes, found {length}");
        return Err(Status::invalid_argument(problem));
    }
    match command.request_id.as_ref().map(String::len) {
        Some(length) if !(1..=REQUEST_ID).contains(&length) => Err(Status::invalid_argument(format!(
            "invalid request id length: expected 1 to {REQUEST_ID} bytes, found {length}"
        ))),
        _ => Ok(()),
    }
}

fn check_key(key: &str) -> Result<(), Status> {
    check_own(key)?;
    match key.len() {
        1..=KEY => Ok(()),
        length => Err(Status::invalid_argument(format!(
            "invalid key length: expected 1 to {KEY} bytes, found {length}"
        ))),
    }
}

/// Refuses the keys that the cluster itself keeps.
fn check_own(key: &str) -> Result<(), Status> {
    match key.starts_with(RESERVED) {
        true => Err(Status::invalid_argument(format!(
            "reserved key or prefix: {RESERVED:?} is the cluster's own"
        ))),
        false => Ok(()),
    }
}

fn conflict(command: &Command, revision: u64) -> Status {
    let expected = command.expected_revision.unwrap_or_default();
    let found = match revision {
        0 => "no such key".to_owned(),
        revision => revision.to_string(),
    };
    Status::failed_precondition(format!(
        "revision mismatch of key {:?}: expected {expected}, found {found}",
        Truncated(&command.key)
    ))
}

fn missing(key: &str) -> Refusal {
    Refusal::Status(Status::not_found(format!("key {:?} not found", Truncated(key))))
}

fn unreadable(error: super::store::StoreError) -> Refusal {
    Refusal::Status(Status::internal(error.to_string()))
}

fn item(key: String, stored: Stored) -> v1::KeyValue {
    v1::KeyValue { key, value: stored.value, revision: stored.revision, create_revision: stored.created }
}
