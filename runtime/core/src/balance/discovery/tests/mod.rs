//! Peers and clusters in a network that is made up, in paused time.

mod cluster;
mod discovered;
mod failing;
mod streams;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{
    super::{
        Channel,
        observer::ChannelObserver,
        subchannel::{Common, RenewableConnection, Subchannel},
    },
    Setup,
};
use crate::{
    Context, Payload, Response, Service, Status, Streaming,
    balance::directory::{self, Endpoint, LIST, ListRequest, ListResponse},
    policy::PolicyHandle,
};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
struct Word {
    #[prost(string, tag = "1")]
    text: String,
}

/// Says who was asked, and where.
#[polywire::service(package = "words.v1")]
trait Words {
    /// May be asked twice.
    #[rpc(idempotent)]
    async fn read(&self, request: Word) -> Result<Word, Status>;
    /// May not.
    async fn write(&self, request: Word) -> Result<Word, Status>;
    /// Says the word twice, and may be asked twice.
    #[rpc(idempotent)]
    async fn repeat(&self, request: Word) -> Result<Streaming<Word>, Status>;
    /// Takes words in.
    async fn gather(&self, words: Streaming<Word>) -> Result<Word, Status>;
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const WORDS: &str = "words.v1.Words";

/// For how long the hosts' answers may be taken for true.
const TTL: Duration = Duration::from_secs(5);

/// Who answers where, and who is in the cluster. Clones share it.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    places: HashMap<String, Arc<Host>>,
    members: Vec<Arc<Host>>,
    revision: u64,
}

/// A node.
struct Host {
    name: &'static str,
    targets: Mutex<Vec<String>>,
    /// The transports that serve words.
    serves: Mutex<Vec<&'static str>>,
    mood: Mutex<Mood>,
    /// Whether it has a directory, and whether that answers.
    has_directory: AtomicBool,
    directory_is_dark: AtomicBool,
    /// The cluster that it is in, where it is not that of the network.
    own_cluster: Mutex<Option<directory::Cluster>>,
    calls: AtomicU32,
    asked: AtomicU32,
}

/// What a host does with calls.
#[derive(Clone)]
enum Mood {
    /// ResponseStream after so long.
    Well(Duration),
    /// Says nothing to anything, ever.
    Dark,
    /// Lets everything else in, and fails calls with this.
    Fails(Status),
    /// Fails calls of the method of this name so, and answers others.
    FailsOne(&'static str, Status),
    /// Opens streams, and fails them with this before the first message.
    Breaks(Status),
    /// Opens streams, and says nothing in them.
    Waits,
}

impl Net {
    /// A host of this name, reached over gRPC and Iroh.
    fn host(&self, name: &'static str) -> Arc<Host> {
        let host = Arc::new(Host {
            name,
            targets: Mutex::default(),
            serves: Mutex::new(vec!["grpc", "iroh"]),
            mood: Mutex::new(Mood::Well(MS)),
            has_directory: AtomicBool::new(true),
            directory_is_dark: AtomicBool::new(false),
            own_cluster: Mutex::default(),
            calls: AtomicU32::new(0),
            asked: AtomicU32::new(0),
        });
        self.place(&host, &[&format!("grpc://{name}"), &format!("iroh://{name}")]);
        host
    }

    /// It is there from now on, and nowhere else.
    fn place(&self, host: &Arc<Host>, targets: &[&str]) {
        self.remove(host);
        let mut state = self.0.lock().unwrap();
        for target in targets {
            state.places.insert((*target).to_owned(), host.clone());
        }
        *host.targets.lock().unwrap() = targets.iter().map(|target| (*target).to_owned()).collect();
    }

    /// Nobody answers where it was.
    fn remove(&self, host: &Arc<Host>) {
        self.0.lock().unwrap().places.retain(|_, there| !Arc::ptr_eq(there, host));
    }

    /// These are the members of the cluster.
    fn members(&self, members: &[&Arc<Host>]) {
        let mut state = self.0.lock().unwrap();
        state.members = members.iter().map(|host| (*host).clone()).collect();
        state.revision += 1;
    }

    fn setup(&self, policies: impl Into<PolicyHandle>, among_others: bool) -> Setup {
        let net = self.clone();
        let open = move |target: &str| -> futures_util::future::BoxFuture<
            'static,
            Option<(&'static str, RenewableConnection)>,
        > {
            let way = (transport(target), RenewableConnection::lasting(net.way(target)));
            Box::pin(std::future::ready(Some(way)))
        };
        Setup::with(
            Box::new(open),
            policies.into(),
            Common::counted_by(ChannelObserver::default()),
            among_others,
        )
    }

    fn subchannel(&self, target: &str) -> Arc<Subchannel> {
        Arc::new(Subchannel::new(
            transport(target),
            target.to_owned(),
            RenewableConnection::lasting(self.way(target)),
            &Common::counted_by(ChannelObserver::default()),
        ))
    }

    fn way(&self, target: &str) -> Channel {
        Channel::new(Wire { net: self.clone(), target: target.to_owned() })
    }
}

fn transport(target: &str) -> &'static str {
    if target.starts_with("grpc") { "grpc" } else { "iroh" }
}

impl Host {
    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn serves(&self, transports: &[&'static str]) {
        *self.serves.lock().unwrap() = transports.to_vec();
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// How often its directory was asked.
    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    fn id(&self) -> String {
        format!("id of {}", self.name)
    }

    fn node(&self) -> directory::Node {
        let endpoint = |target: &String| Endpoint {
            transport: transport(target).to_owned(),
            target: target.clone(),
            alpns: Vec::new(),
        };
        let endpoints = self.targets.lock().unwrap().iter().map(endpoint).collect();
        directory::Node { id: self.id(), name: self.name.to_owned(), endpoints, ..Default::default() }
    }

    fn services(&self) -> Vec<directory::Service> {
        let service = |name: &str, transports: &[&str]| directory::Service {
            name: name.to_owned(),
            transports: transports.iter().map(|name| (*name).to_owned()).collect(),
            ..Default::default()
        };
        let serves = self.serves.lock().unwrap();
        let words = (!serves.is_empty()).then(|| service(WORDS, &serves));
        words.into_iter().chain([service("polywire.directory.v1.Directory", &["grpc", "iroh"])]).collect()
    }

    fn list(&self, net: &Net, members: bool) -> ListResponse {
        let state = net.0.lock().unwrap();
        let others = state.members.iter().filter(|host| host.name != self.name);
        let members = others.filter(|_| members).map(|host| directory::Member {
            node: Some(host.node()),
            services: host.services(),
            reached: state.places.values().any(|there| Arc::ptr_eq(there, host)),
            ..Default::default()
        });
        let shared = directory::Cluster {
            id: "the cluster".to_owned(),
            revision: state.revision,
            members: members.collect(),
        };
        let cluster = self.own_cluster.lock().unwrap().clone().or(Some(shared));
        ListResponse {
            services: self.services(),
            node: Some(self.node()),
            ttl_ms: TTL.as_millis() as u64,
            cluster,
        }
    }
}

/// What leads to a target.
struct Wire {
    net: Net,
    target: String,
}

impl Wire {
    /// What the host does with the call, where it is not down.
    fn arrive(&self, cx: &Context) -> Result<(Arc<Host>, Mood), Status> {
        let there = self.net.0.lock().unwrap().places.get(&self.target).cloned();
        let host = there.ok_or_else(|| Status::unavailable("connection refused").not_processed())?;
        let mood = host.mood.lock().unwrap().clone();
        if cx.service() == WORDS && !matches!(mood, Mood::Dark) {
            host.calls.fetch_add(1, Ordering::Relaxed);
        }
        Ok((host, mood))
    }

    /// Lets a call of the words in, once it has taken as long as the host takes.
    async fn enter(&self, cx: &Context, host: &Host, mood: Mood) -> Result<(), Status> {
        let serves = host.serves.lock().unwrap().contains(&transport(&self.target));
        match mood {
            Mood::Dark => std::future::pending().await,
            Mood::Fails(status) => Err(status),
            Mood::FailsOne(method, status) if cx.path().ends_with(method) => Err(status),
            // As gRPC's servers do, which do not say that they have not seen it.
            _ if !serves => Err(Status::unimplemented("no such service here")),
            Mood::Well(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Mood::FailsOne(..) | Mood::Breaks(_) | Mood::Waits => {
                tokio::time::sleep(MS).await;
                Ok(())
            }
        }
    }

    async fn directory(&self, host: &Host, message: Payload) -> Result<Response<Payload>, Status> {
        host.asked.fetch_add(1, Ordering::Relaxed);
        if host.directory_is_dark.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        let request: ListRequest = message.decode()?;
        let told = host.has_directory.load(Ordering::Relaxed).then(|| host.list(&self.net, request.members));
        Ok(Response::new(Payload::new(told.ok_or_else(unknown_service)?)))
    }

    fn words(&self) -> WordsServer<Spoken> {
        WordsServer::new(Spoken(self.target.clone()))
    }
}

fn unknown_service() -> Status {
    Status::unimplemented("no such service").not_processed()
}

impl Service for Wire {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let (host, mood) = self.arrive(&cx)?;
        if matches!(mood, Mood::Dark) {
            return std::future::pending().await;
        }
        if cx.path() == LIST {
            return self.directory(&host, message).await;
        }
        if cx.service() != WORDS {
            return Err(unknown_service());
        }
        self.enter(&cx, &host, mood).await?;
        self.words().unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let (host, mood) = self.arrive(&cx)?;
        self.enter(&cx, &host, mood.clone()).await?;
        match mood {
            Mood::Breaks(status) => {
                Ok(Response::new(Streaming::new(futures_util::stream::iter([Err(status)]))))
            }
            Mood::Waits => Ok(Response::new(Streaming::new(futures_util::stream::pending()))),
            _ => self.words().stream(cx, messages).await,
        }
    }
}

/// ResponseStream with the target at which it was asked.
struct Spoken(String);

impl Words for Spoken {
    async fn read(&self, _: Word) -> Result<Word, Status> {
        Ok(Word { text: self.0.clone() })
    }

    async fn write(&self, _: Word) -> Result<Word, Status> {
        Ok(Word { text: self.0.clone() })
    }

    async fn repeat(&self, _: Word) -> Result<Streaming<Word>, Status> {
        let word = Word { text: self.0.clone() };
        Ok(Streaming::from_iter([word.clone(), word]))
    }

    async fn gather(&self, mut words: Streaming<Word>) -> Result<Word, Status> {
        while words.message().await?.is_some() {}
        Ok(Word { text: self.0.clone() })
    }
}

async fn read(client: &WordsClient) -> Result<String, Status> {
    client.read(Word::default()).timeout(10 * SECOND).await.map(|word| word.text)
}

async fn write(client: &WordsClient) -> Result<String, Status> {
    client.write(Word::default()).timeout(10 * SECOND).await.map(|word| word.text)
}
