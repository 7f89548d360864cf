//! Three nodes on loopback.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use polywire::{Channel, ConnectOptions, Target};
use polywire_proto::cluster::v1::{StatusRequest, StatusResponse};
use polywire_services::raft::ClusterClient;
use polywire_tests::{
    disk::SmallDisk,
    node::{End, FREE_PORTS, Finished, Node, binary, run},
    patience::eventually,
};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Command;

/// The nodes, and the ways to those that are up.
pub(crate) struct Cluster {
    flags: Vec<String>,
    data: Vec<TempDir>,
    /// A disk for the node at this place, where its data are not with those of the others.
    disk: Option<(usize, SmallDisk)>,
    nodes: Vec<Option<Node>>,
    pub(super) ways: Ways,
}

/// A channel to each node that is up, by its place. Clones share them.
pub(super) type Ways = Arc<RwLock<Vec<Option<Channel>>>>;

/// `polywire-node cluster` with these arguments.
pub(crate) async fn cluster_command(arguments: &[&str]) -> Finished {
    run(Path::new("/"), &[&["cluster"], arguments].concat()).await
}

/// Addresses of loopback that are free and stay so: a port of 127.0.0.1 may be taken by another test as soon as it is
/// let go, but no other process has this one's address.
pub(super) fn addresses_of_its_own<const N: usize>() -> [SocketAddr; N] {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high | 0x80, middle, low);
    let sockets: [_; N] = std::array::from_fn(|_| TcpListener::bind((host, 0)).unwrap());
    sockets.map(|socket| socket.local_addr().unwrap())
}

/// Starts a node that serves gRPC at this address, with its data below this directory.
pub(super) async fn start_at(address: &SocketAddr, directory: &Path, flags: &[&str]) -> Node {
    let address = format!("--transport.grpc.bind_address={address}");
    let data = format!("--node.data_dir={}", directory.join("data").display());
    let own = [&*address, &*data, FREE_PORTS[1]];
    Node::start_with(Command::new(binary()), own.into_iter().chain(flags.iter().copied())).await
}

impl Cluster {
    /// Three nodes that have become one cluster.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::start_on(None, flags).await
    }

    /// As [`start`](Self::start), with the data of the node at this place on this disk.
    pub(super) async fn start_on(disk: Option<(usize, SmallDisk)>, flags: &[&str]) -> Self {
        let mut cluster = Self {
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            data: (0..3).map(|_| tempfile::tempdir().unwrap()).collect(),
            disk,
            nodes: vec![None, None, None],
            ways: Arc::new(RwLock::new(vec![None, None, None])),
        };
        for place in 0..3 {
            cluster.restart(place).await;
        }
        let seed = cluster.target(0).to_owned();
        for place in 1..3 {
            let node = cluster.target(place);
            let joined = cluster_command(&["join", &seed, "--node", node]).await;
            assert_eq!(joined.code, 0, "{}", joined.stderr);
        }
        cluster
    }

    pub(crate) fn node(&self, place: usize) -> &Node {
        self.nodes[place].as_ref().expect("a node that is up")
    }

    /// Where the node at this place is called: over gRPC, if it serves that.
    pub(crate) fn target(&self, place: usize) -> &str {
        let node = self.node(place);
        node.targets.grpc.as_deref().unwrap_or_else(|| node.iroh())
    }

    /// The data directory of the node at this place.
    pub(crate) fn data_dir(&self, place: usize) -> PathBuf {
        let directory = self.disk(place).map_or(self.data[place].path(), SmallDisk::path);
        directory.join("data")
    }

    /// The disk that the node at this place has for itself.
    pub(super) fn disk(&self, place: usize) -> Option<&SmallDisk> {
        self.disk.as_ref().filter(|(other, _)| *other == place).map(|(_, disk)| disk)
    }

    /// How the node at this place is started.
    pub(super) fn command(&self, place: usize) -> Command {
        self.disk(place).map_or_else(|| Command::new(binary()), |disk| disk.command(binary()))
    }

    /// Starts the node with what it has on disk, on the ports that it had while nothing else has taken them.
    pub(crate) async fn restart(&mut self, place: usize) {
        let data = format!("--node.data_dir={}", self.data_dir(place).display());
        let name = format!("--node.name=node-{place}");
        let flags =
            FREE_PORTS.into_iter().chain(self.flags.iter().map(String::as_str)).chain([&*data, &*name]);
        let node = Node::start_with(self.command(place), flags).await;
        let target: Target = node.targets.grpc.as_deref().unwrap_or_else(|| node.iroh()).parse().unwrap();
        let channel = target.connect(&ConnectOptions::new()).await.unwrap();
        self.ways.write().unwrap()[place] = Some(channel);
        self.nodes[place] = Some(node);
    }

    /// Ends the node at once, as a crash does.
    pub(crate) async fn kill(&mut self, place: usize) -> End {
        self.ways.write().unwrap()[place] = None;
        let node = self.nodes[place].take().expect("a node that is up");
        node.signal(Signal::KILL);
        node.ended().await
    }

    /// How the cluster is, as this node knows it; `None` where it does not answer.
    pub(super) async fn status(&self, place: usize) -> Option<StatusResponse> {
        let channel = self.ways.read().unwrap()[place].clone()?;
        ClusterClient::new(channel).status(StatusRequest::default()).await.ok()
    }

    /// The place of the leader, once all nodes that are up agree on one of them.
    pub(crate) async fn leader(&self) -> usize {
        self.leader_of(&[0, 1, 2]).await
    }

    /// The place of the leader, once all of these nodes that are up agree on one of them.
    pub(crate) async fn leader_of(&self, places: &[usize]) -> usize {
        eventually("all follow one leader", async || {
            let mut ids = Vec::new();
            let mut leaders = Vec::new();
            for place in places.iter().copied() {
                if self.nodes[place].is_some() {
                    let status = self.status(place).await?;
                    ids.push((place, status.this?.id));
                    leaders.push(status.leader_id?);
                }
            }
            let leader = leaders[0];
            let agreed = leaders.iter().all(|other| *other == leader);
            let (place, _) = ids.into_iter().find(|(_, id)| *id == leader)?;
            agreed.then_some(place)
        })
        .await
    }

    /// Returns once this node has applied what the cluster had when it was asked, and the others know where it is.
    pub(super) async fn caught_up(&self, place: usize) {
        let goal = self.status(self.leader().await).await.unwrap().last_log_index;
        let targets = &self.node(place).targets;
        let targets: Vec<_> = [&targets.grpc, &targets.iroh].into_iter().flatten().cloned().collect();
        eventually("the node has caught up", async || {
            let own = self.status(place).await?;
            let known = self.status(self.leader().await).await?;
            let id = own.this?.id;
            let known = known.members.into_iter().find(|member| member.id == id)?;
            (own.applied_index >= goal && known.targets == targets).then_some(())
        })
        .await;
    }
}
