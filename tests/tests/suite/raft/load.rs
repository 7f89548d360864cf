//! Clients that write and read all the time, and know what they were told.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use polywire::{Code, Status};
use polywire_proto::kv::v1::{GetRequest, ListRequest, PutRequest};
use polywire_services::raft::KvClient;
use tokio::task::JoinSet;

use super::{
    cluster::{Cluster, Ways},
    history::{History, Step},
};

/// How many clients write keys of their own, and how many share a register.
const WRITERS: usize = 3;
const SHARERS: u32 = 3;

/// Clients at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    /// How many writes each writer has been told are there.
    acknowledged: Arc<[AtomicU64; WRITERS]>,
    history: Arc<Mutex<History>>,
    tasks: JoinSet<()>,
}

impl Load {
    pub(super) fn start(ways: &Ways) -> Self {
        let history = Arc::new(Mutex::new(History::new(Instant::now())));
        let (stop, acknowledged) =
            (Arc::new(AtomicBool::new(false)), Arc::new(std::array::from_fn(|_| AtomicU64::new(0))));
        let mut load = Self { stop, acknowledged, history, tasks: JoinSet::new() };
        for writer in 0..WRITERS {
            let (ways, stop, acknowledged) = (ways.clone(), load.stop.clone(), load.acknowledged.clone());
            load.tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let next = acknowledged[writer].load(Ordering::Relaxed);
                    put_anyhow(&ways, &format!("load/{writer}/{next:06}"), &next.to_string()).await;
                    acknowledged[writer].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for client in 0..SHARERS {
            let (ways, stop, history) = (ways.clone(), load.stop.clone(), load.history.clone());
            load.tasks.spawn(async move {
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    share(&ways, &history, client, turn).await;
                }
            });
        }
        load
    }

    /// Returns once every writer has got on.
    pub(super) async fn progress(&self) {
        let count = || self.acknowledged.each_ref().map(|count| count.load(Ordering::Relaxed));
        let before = count();
        polywire_tests::patience::eventually("the writers get on", async || {
            count().iter().zip(&before).all(|(now, before)| *now >= before + 20).then_some(())
        })
        .await;
    }

    pub(super) async fn stop(mut self) -> Self {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self
    }

    pub(super) async fn check(self, cluster: &Cluster) {
        for (writer, acknowledged) in self.acknowledged.iter().enumerate() {
            let found = list(&cluster.ways, &format!("load/{writer}/")).await;
            for next in 0..acknowledged.load(Ordering::Relaxed) {
                let key = format!("load/{writer}/{next:06}");
                let (value, once) = found.get(&key).unwrap_or_else(|| panic!("{key} is lost"));
                assert_eq!(*value, next.to_string(), "{key}");
                assert!(once, "{key} was written more than once");
            }
        }
        let history = self.history.lock().unwrap().clone();
        assert!(history.steps.len() > 30, "{} steps were taken", history.steps.len());
        history.assert_linearizable();
    }
}

/// One client that is asked at one node after the other.
fn client(ways: &Ways, turn: usize) -> Option<KvClient> {
    let ways = ways.read().unwrap();
    let up: Vec<_> = ways.iter().flatten().collect();
    up.get(turn % up.len().max(1)).map(|channel| KvClient::new((*channel).clone()))
}

/// How long one try may take.
const TRY: Duration = Duration::from_millis(1_500);

/// Writes until a node confirms it. The request id makes it one write, however often it is tried.
pub(super) async fn put_anyhow(ways: &Ways, key: &str, value: &str) {
    let begun = Instant::now();
    let request = PutRequest {
        key: key.to_owned(),
        value: value.to_owned().into(),
        expected_revision: None,
        request_id: Some(format!("{key} {value}")),
    };
    for turn in key.len() + value.len().. {
        let outcome = match client(ways, turn) {
            Some(client) => client.put(request.clone()).timeout(TRY).await,
            None => Err(Status::unavailable("no node is up")),
        };
        match outcome {
            Ok(_) => return,
            Err(status) => assert!(begun.elapsed() < Duration::from_secs(30), "{key}: {status}"),
        }
        tokio::task::yield_now().await;
    }
}

/// One write or read of the register that all share, made once.
async fn share(ways: &Ways, history: &Mutex<History>, sharer: u32, turn: u64) {
    let Some(client) = client(ways, (u64::from(sharer) + turn) as usize) else { return };
    let called = Instant::now();
    let key = "register".to_owned();
    if turn.is_multiple_of(2) {
        let value = u64::from(sharer) << 32 | turn;
        let request = PutRequest { key, value: value.to_be_bytes().to_vec().into(), ..PutRequest::default() };
        let outcome = client.put(request).timeout(TRY).await;
        history.lock().unwrap().add(sharer, called, Step::Put(value), outcome.is_ok());
    } else {
        let found = match client.get(GetRequest { key, ..GetRequest::default() }).timeout(TRY).await {
            Ok(answer) => Some(u64::from_be_bytes(answer.item.unwrap().value[..].try_into().unwrap())),
            Err(status) if status.code() == Code::NotFound => None,
            Err(_) => return,
        };
        history.lock().unwrap().add(sharer, called, Step::Get(found), true);
    }
}

/// The keys that begin so, their values, and whether each was written once.
async fn list(ways: &Ways, prefix: &str) -> std::collections::BTreeMap<String, (String, bool)> {
    let mut found = std::collections::BTreeMap::new();
    let mut after = String::new();
    loop {
        let request =
            ListRequest { prefix: prefix.to_owned(), after: after.clone(), ..ListRequest::default() };
        let page = client(ways, 0).unwrap().list(request).await.unwrap();
        for item in page.items {
            after.clone_from(&item.key);
            let value = String::from_utf8(item.value.to_vec()).unwrap();
            found.insert(item.key, (value, item.revision == item.create_revision));
        }
        if !page.more {
            return found;
        }
    }
}
