//! Elections of members that come back while others do not.

use std::{net::SocketAddr, time::Duration};

use polywire_proto::cluster::v1::{StatusRequest, StatusResponse};
use polywire_services::raft::ClusterClient;
use polywire_tests::{node::Node, patience::eventually};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use super::cluster::{addresses_of_its_own, start_at};
use crate::node::connect;

/// Members that keep their addresses when they are started again: they must find each other while no leader tells them
/// where the others are.
struct Members {
    addresses: Vec<SocketAddr>,
    flags: [String; 2],
    data: Vec<TempDir>,
    nodes: Vec<Option<Node>>,
}

/// By when there is a leader: the others are asked for at most 1 s, the lease of the lost leader lasts 0.6 s, an election
/// begins after another 0.6 s, and 1.8 s later where another member has the longer log. Thrice that, as the machine may be
/// busy.
const ELECTION: Duration = Duration::from_secs(12);

impl Members {
    /// So many members, which follow one leader.
    async fn start<const N: usize>() -> Self {
        let addresses = addresses_of_its_own::<N>().to_vec();
        let targets: Vec<_> = addresses.iter().map(|address| format!("grpc://{address}")).collect();
        let flags = [
            format!("--cluster.peers={targets:?}"),
            "--transport.strategy.raft_transport=always_grpc".to_owned(),
        ];
        let data = (0..N).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut members = Self { addresses, flags, data, nodes: Vec::new() };
        for place in 0..N {
            members.nodes.push(None);
            members.restart(place).await;
        }
        eventually("all of them vote", async || {
            for place in 0..N {
                let status = members.status(place).await?;
                let voters = status.members.iter().filter(|member| member.voter).count();
                (voters == N && status.leader_id.is_some()).then_some(())?;
            }
            Some(())
        })
        .await;
        members
    }

    async fn restart(&mut self, place: usize) {
        let flags = self.flags.each_ref().map(String::as_str);
        let node = start_at(&self.addresses[place], self.data[place].path(), &flags).await;
        self.nodes[place] = Some(node);
    }

    async fn kill(&mut self, places: &[usize]) {
        for place in places {
            let node = self.nodes[*place].take().unwrap();
            node.signal(Signal::KILL);
            node.ended().await;
        }
    }

    fn node(&self, place: usize) -> &Node {
        self.nodes[place].as_ref().unwrap()
    }

    async fn status(&self, place: usize) -> Option<StatusResponse> {
        let client = ClusterClient::new(connect(self.node(place).grpc()).await);
        client.status(StatusRequest::default()).timeout(Duration::from_secs(1)).await.ok()
    }

    /// The place of the leader, once these members follow one of them.
    async fn leader(&self, places: &[usize]) -> usize {
        eventually("they follow one of them", async || {
            let (mut ids, mut leaders) = (Vec::new(), Vec::new());
            for place in places {
                let status = self.status(*place).await?;
                ids.push((*place, status.this?.id));
                leaders.push(status.leader_id?);
            }
            let (place, leader) = ids.into_iter().find(|(_, id)| *id == leaders[0])?;
            leaders.iter().all(|other| *other == leader).then_some(place)
        })
        .await
    }

    /// Kills these members, starts them again, and waits until they have elected one of them.
    async fn elect_after_restart(&mut self, places: &[usize]) {
        self.kill(places).await;
        for place in places {
            self.restart(*place).await;
        }
        let begun = Instant::now();
        timeout(ELECTION, self.leader(places)).await.expect("a leader, in time");
        eprintln!("{places:?} have a leader after {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn two_of_three_that_come_back_elect_a_leader_beside_one_that_is_stopped_and_one_that_is_gone() {
    let mut members = Members::start::<3>().await;
    let leader = members.leader(&[0, 1, 2]).await;
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    members.node(leader).stop().await;
    members.elect_after_restart(&others).await;
    members.node(leader).cont();
    let leader = members.leader(&[0, 1, 2]).await;
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    members.kill(&[leader]).await;
    members.elect_after_restart(&others).await;
}

#[tokio::test]
async fn three_of_five_that_come_back_elect_a_leader_beside_two_that_are_stopped() {
    let mut members = Members::start::<5>().await;
    let leader = members.leader(&[0, 1, 2, 3, 4]).await;
    for stopped in [leader, (leader + 1) % 5] {
        members.node(stopped).stop().await;
    }
    members.elect_after_restart(&[2, 3, 4].map(|more| (leader + more) % 5)).await;
}

#[tokio::test]
async fn a_member_that_comes_back_elsewhere_is_found_without_the_leader() {
    let mut members = Members::start::<3>().await;
    let leader = members.leader(&[0, 1, 2]).await;
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    members.node(leader).stop().await;
    let [elsewhere] = addresses_of_its_own::<1>();
    members.addresses[others[0]] = elsewhere;
    members.elect_after_restart(&others).await;
}
