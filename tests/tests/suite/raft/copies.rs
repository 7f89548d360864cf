//! Two processes with one identity: copied directories, cloned volumes, restored backups.

use std::{fs, path::Path};

use polywire::Code;
use polywire_proto::{
    cluster::v1::Member,
    directory::v1::ListRequest,
    kv::v1::{GetRequest, PutRequest},
};
use polywire_services::{directory::DirectoryClient, raft::KvClient};
use polywire_tests::{
    node::{FREE_PORTS, Node, binary},
    patience::eventually,
};
use tempfile::TempDir;
use tokio::process::Command;

use super::{
    cluster::{Cluster, cluster_command},
    load::put_anyhow,
};
use crate::node::connect;

const GRPC: &str = "--transport.strategy.raft_transport=always_grpc";
const IROH: &str = "--transport.strategy.raft_transport=always_iroh";

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What the data of the node at this place are now.
fn backup(cluster: &Cluster, place: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    copy(&cluster.data_dir(place), &directory.path().join("data"));
    directory
}

/// A second process of a member.
async fn start(backup: &TempDir, flags: &[&str]) -> Node {
    let data = format!("--node.data_dir={}", backup.path().join("data").display());
    let flags = FREE_PORTS.iter().chain(flags).copied().chain([&*data, "--node.name=copy"]);
    Node::start_with(Command::new(binary()), flags).await
}

/// The member with this id, as the node at this place knows it.
async fn known(cluster: &Cluster, place: usize, id: u64) -> Member {
    let status = cluster.status(place).await.unwrap();
    status.members.into_iter().find(|member| member.id == id).unwrap()
}

/// The copy is refused, says so itself wherever it can be asked, and the members say so of it.
async fn is_refused(cluster: &Cluster, place: usize, copy: &Node, why: &str) {
    let id = cluster.status(place).await.unwrap().this.unwrap().id;
    eventually("the copy is not ready", async || {
        let page = copy.get("/readyz?verbose").await;
        (page.status == 503 && page.body.contains(why)).then_some(())
    })
    .await;
    let status = cluster_command(&["status", "--json", "--node", copy.grpc()]).await;
    assert_eq!(status.code, 0, "{}", status.stderr);
    let told = DirectoryClient::new(connect(copy.grpc()).await).list(ListRequest::default()).await.unwrap();
    assert!(told.node.unwrap().conflict.contains(why));

    let leader = cluster.leader().await;
    eventually("the members name it", async || {
        let conflict = known(cluster, leader, id).await.conflict;
        let health = cluster.node(leader).get("/readyz?verbose").await;
        (conflict.contains(why) && health.status == 200 && health.body.contains(why)).then_some(())
    })
    .await;
    let member = known(cluster, leader, id).await;
    assert!(member.targets.contains(&cluster.node(place).grpc().to_owned()), "{member:?}");
    assert_eq!(cluster.node(place).get("/readyz").await.status, 200, "the member is as it was");

    let refused = KvClient::new(connect(copy.grpc()).await);
    let refused = refused.get(GetRequest { key: "a".to_owned(), ..GetRequest::default() }).await.unwrap_err();
    assert!(refused.code() == Code::Unavailable && refused.message().contains(why), "{refused}");
    let leaving = cluster_command(&["leave", "--node", copy.grpc()]).await;
    assert!(leaving.code != 0 && leaving.stderr.contains(why), "{}", leaving.stderr);
}

/// Nothing of what the copy does moves the cluster: no term passes, and it takes writes.
async fn is_left_alone(cluster: &Cluster, copy: &Node) {
    let leader = cluster.leader().await;
    let term = cluster.status(leader).await.unwrap().term;
    let before = contacts(copy).await;
    eventually("the copy has told the others again that it is there", async || {
        (contacts(copy).await >= before + 2.0).then_some(())
    })
    .await;
    put_anyhow(&cluster.ways, "later", "1").await;
    assert_eq!(cluster.status(cluster.leader().await).await.unwrap().term, term);
}

/// How often the node has told others where it is.
async fn contacts(node: &Node) -> f64 {
    let page = node.get("/metrics").await.body;
    let own = |series: &str| {
        series.starts_with("polywire_client_calls_total{") && series.contains(r#"method="UpdateMember""#)
    };
    crate::metrics::samples(&page).iter().filter(|(series, _)| own(series)).map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_stopped_member_is_refused_once_that_runs_again_over_grpc() {
    a_copy_comes_second(GRPC).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_stopped_member_is_refused_once_that_runs_again_over_iroh() {
    a_copy_comes_second(IROH).await;
}

async fn a_copy_comes_second(rule: &str) {
    let mut cluster = Cluster::start(&[rule]).await;
    put_anyhow(&cluster.ways, "a", "1").await;
    let place = (cluster.leader().await + 1) % 3;
    cluster.kill(place).await;
    let backup = backup(&cluster, place);
    cluster.restart(place).await;
    cluster.caught_up(place).await;
    let copy = start(&backup, &[rule]).await;
    is_refused(&cluster, place, &copy, "was started from a copy").await;
    is_left_alone(&cluster, &copy).await;

    // It stays out when the member is gone, for it lacks what that has acknowledged since.
    cluster.kill(place).await;
    let copy = copy.kill().await.start().await;
    assert_eq!(copy.get("/readyz").await.status, 503);
    let kv = KvClient::new(cluster.ways.read().unwrap()[(place + 1) % 3].clone().unwrap());
    kv.put(PutRequest { key: "b".to_owned(), ..PutRequest::default() }).await.unwrap();
    assert_eq!(copy.get("/readyz").await.status, 503);
}

/// Which of them is the member is decided by who comes first to the leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_member_and_its_copy_that_start_together_one_is_refused() {
    let mut cluster = Cluster::start(&[GRPC]).await;
    put_anyhow(&cluster.ways, "a", "1").await;
    let place = (cluster.leader().await + 1) % 3;
    let id = cluster.status(place).await.unwrap().this.unwrap().id;
    cluster.kill(place).await;
    let backup = backup(&cluster, place);
    let (copy, ()) = tokio::join!(start(&backup, &[GRPC]), cluster.restart(place));
    let leader = cluster.leader_of(&[(place + 1) % 3, (place + 2) % 3]).await;
    let (refused, member) = eventually("one is refused, and the other is not", async || {
        let pages = [copy.get("/readyz?verbose").await, cluster.node(place).get("/readyz?verbose").await];
        let [copy_is_out, member_is_out] =
            pages.each_ref().map(|page| page.body.contains("was started from a copy") && page.status == 503);
        match (copy_is_out, member_is_out, pages[0].status, pages[1].status) {
            (true, false, _, 200) => Some((&copy, cluster.node(place))),
            (false, true, 200, _) => Some((cluster.node(place), &copy)),
            _ => None,
        }
    })
    .await;
    let target = member.grpc().to_owned();
    eventually("the cluster knows the one and not the other", async || {
        known(&cluster, leader, id).await.targets.contains(&target).then_some(())
    })
    .await;
    assert_ne!(refused.grpc(), target);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_of_a_running_member_is_refused() {
    let cluster = Cluster::start(&[GRPC]).await;
    put_anyhow(&cluster.ways, "a", "1").await;
    let place = (cluster.leader().await + 1) % 3;
    // As a snapshot of the volume is: of one moment.
    cluster.node(place).stop().await;
    let backup = backup(&cluster, place);
    cluster.node(place).cont();
    let leader = cluster.leader().await;
    cluster.caught_up(place).await;
    let copy = start(&backup, &[GRPC]).await;
    is_refused(&cluster, place, &copy, "was started from a copy").await;
    assert_eq!(cluster.leader().await, leader);
    is_left_alone(&cluster, &copy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_is_refused_though_nothing_else_has_its_identity_now() {
    let mut cluster = Cluster::start(&[GRPC]).await;
    put_anyhow(&cluster.ways, "a", "1").await;
    let place = (cluster.leader().await + 1) % 3;
    cluster.kill(place).await;
    let backup = backup(&cluster, place);
    cluster.restart(place).await;
    cluster.caught_up(place).await;
    put_anyhow(&cluster.ways, "acknowledged", "1").await;
    cluster.kill(place).await;
    let data = cluster.data_dir(place);
    fs::remove_dir_all(&data).unwrap();
    copy(&backup.path().join("data"), &data);
    cluster.restart(place).await;
    eventually("it is kept out", async || {
        let page = cluster.node(place).get("/readyz?verbose").await;
        (page.status == 503 && page.body.contains("a copy or a backup")).then_some(())
    })
    .await;
}
