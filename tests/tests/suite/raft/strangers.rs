//! What a stranger can do to a node and its cluster: nothing.

use std::{future::Future, net::TcpListener};

use polywire::{Channel, Code, ConnectOptions, ServiceExt as _, Status, Streaming, Target, layer::Request};
use polywire_proto::{
    access::v1::ChangeRequest,
    cluster::v1::{
        AddMemberRequest, JoinRequest, LeaveRequest, Member, RemoveMemberRequest, StatusRequest,
        StatusResponse, UpdateMemberRequest,
    },
    kv::v1::{GetRequest, PutRequest},
    monitoring::v1::GetClusterHealthRequest,
    raft::v1::{AppendEntriesRequest, InstallSnapshotRequest, LogId, SnapshotHead, Vote, VoteRequest},
};
use polywire_services::{
    monitoring::MonitoringClient,
    raft::{ClusterClient, KvClient, RaftClient, TokenRecordsClient},
};
use polywire_tests::{node::Node, pki::Pki};
use tower::util::MapRequestLayer;

use super::cluster::Cluster;
use crate::node::connect;

/// A channel of a caller whose key is known to nothing.
async fn stranger(target: &str, pki: &Pki) -> Channel {
    let options = ConnectOptions::new().secret_key([9; 32]).ca_file(&pki.authority);
    target.parse::<Target>().unwrap().connect(&options).await.unwrap()
}

/// What ten calls of a stranger are answered.
async fn ten_calls(channel: &Channel) -> Vec<(&'static str, Status)> {
    async fn refused<T>(
        name: &'static str,
        call: impl Future<Output = Result<T, Status>>,
    ) -> (&'static str, Status) {
        let Err(status) = call.await else { panic!("{name} was executed") };
        (name, status)
    }
    let kv = KvClient::new(channel.clone());
    let raft = RaftClient::new(channel.clone());
    let cluster = ClusterClient::new(channel.clone());
    let monitoring = MonitoringClient::new(channel.clone());
    let seed = || JoinRequest { seed: "grpc://127.0.0.1:1".to_owned(), ..JoinRequest::default() };
    vec![
        refused("Kv/Get", async { kv.get(GetRequest { key: "a".to_owned(), ..Default::default() }).await })
            .await,
        refused("Kv/Put", async { kv.put(PutRequest { key: "a".to_owned(), ..Default::default() }).await })
            .await,
        refused("Raft/Vote", async { raft.vote(VoteRequest::default()).await }).await,
        refused("Raft/AppendEntries", async { raft.append_entries(AppendEntriesRequest::default()).await })
            .await,
        refused("Cluster/Join", async { cluster.join(seed()).await }).await,
        refused("Cluster/Leave", async { cluster.leave(LeaveRequest {}).await }).await,
        refused("Cluster/AddMember", async { cluster.add_member(AddMemberRequest::default()).await }).await,
        refused("Cluster/UpdateMember", async {
            cluster.update_member(UpdateMemberRequest::default()).await
        })
        .await,
        refused("Cluster/RemoveMember", async {
            cluster.remove_member(RemoveMemberRequest::default()).await
        })
        .await,
        refused("Monitoring/GetClusterHealth", async {
            monitoring.get_cluster_health(GetClusterHealthRequest {}).await
        })
        .await,
    ]
}

#[tokio::test]
async fn sixty_calls_of_a_stranger_are_refused_unread() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let socket = directory.path().join("node.sock");
    let files = |transport: &str| {
        [
            format!("--transport.{transport}.tls_cert={}", pki.certificate.display()),
            format!("--transport.{transport}.tls_key={}", pki.key.display()),
        ]
    };
    let closed = "--access.trust_local=false".to_owned();
    let plain = [
        closed.clone(),
        "--transport.quic.enabled=true".to_owned(),
        "--transport.quic.bind_address=127.0.0.1:0".to_owned(),
        "--transport.websocket.enabled=true".to_owned(),
        "--transport.websocket.bind_address=127.0.0.1:0".to_owned(),
        "--transport.unix.enabled=true".to_owned(),
        format!("--transport.unix.path={}", socket.display()),
    ];
    let encrypted =
        [vec![closed, "--transport.grpc.tls_enabled=true".to_owned()], files("grpc").to_vec()].concat();
    let plain = Node::start(&Vec::from_iter(plain.iter().map(String::as_str))).await;
    let encrypted = Node::start(&Vec::from_iter(encrypted.iter().map(String::as_str))).await;
    let targets = [
        plain.grpc(),
        encrypted.grpc(),
        plain.iroh(),
        plain.target("quic"),
        plain.target("websocket"),
        plain.target("unix"),
    ];
    let mut refused = 0;
    for target in targets {
        for (method, status) in ten_calls(&stranger(target, &pki).await).await {
            let is_denied = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
            assert!(is_denied && status.is_not_processed(), "{method} over {target}: {status}");
            refused += 1;
        }
    }
    assert_eq!(refused, 60);
}

async fn status(target: &str) -> StatusResponse {
    ClusterClient::new(connect(target).await).status(StatusRequest::default()).await.unwrap()
}

/// A leader that another node claims to be: of a later term, and elected.
fn usurper(status: &StatusResponse, id: u64) -> (Option<Vote>, Option<LogId>) {
    let term = status.term + 100;
    let log = LogId { term, leader_id: id, index: status.last_log_index + 1 };
    (Some(Vote { term, node_id: id, committed: true }), Some(log))
}

#[tokio::test]
async fn raft_takes_no_message_of_a_node_that_is_no_member_although_it_is_on_this_machine() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let follower = (leader + 1) % 3;
    let before = cluster.status(follower).await.unwrap();
    let (to, cluster_id) = (before.this.as_ref().unwrap().id, before.cluster_id.clone());
    let another = cluster.status((leader + 2) % 3).await.unwrap().this.unwrap().id;
    for target in [cluster.node(follower).grpc(), cluster.node(follower).iroh()] {
        let options = ConnectOptions::new().secret_key([9; 32]);
        let channel = target.parse::<Target>().unwrap().connect(&options).await.unwrap();
        let raft = RaftClient::new(channel);
        let (vote, log) = usurper(&before, another);
        let entries = AppendEntriesRequest {
            to,
            vote,
            prev_log_id: None,
            entries: Vec::new(),
            leader_commit: log,
            cluster_id: cluster_id.clone(),
            quorum_age_ms: Some(0),
        };
        let candidate = VoteRequest { to, vote, last_log_id: log, cluster_id: cluster_id.clone() };
        let head =
            SnapshotHead { to, vote, cluster_id: cluster_id.clone(), size: 1, ..SnapshotHead::default() };
        let snapshot = InstallSnapshotRequest { head: Some(head), data: "x".into() };
        let answers = [
            raft.append_entries(entries).await.map(drop),
            raft.vote(candidate).await.map(drop),
            raft.install_snapshot(Streaming::from_iter([snapshot])).await.map(drop),
        ];
        for answer in answers {
            let status = answer.unwrap_err();
            let is_denied = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
            assert!(is_denied && status.is_not_processed(), "{target}: {status}");
        }
    }
    let after = cluster.status(follower).await.unwrap();
    assert_eq!((after.term, after.leader_id), (before.term, before.leader_id));
}

/// A caller on this machine that says, as a gateway does, that it calls for one with this identity.
async fn calling_for(node: &Node, identity: &str) -> Channel {
    let identity = identity.to_owned();
    let told = MapRequestLayer::new(move |mut call: Request| {
        let metadata = call.context.metadata_mut();
        metadata.insert("polywire-caller", "remote").unwrap();
        metadata.insert("polywire-caller-identity", identity.clone()).unwrap();
        call
    });
    connect(node.grpc()).await.layer(&told).into_channel()
}

#[tokio::test]
async fn what_a_local_caller_says_of_another_gives_it_no_rights() {
    let key = format!("key:{}", "07".repeat(32));
    let rule = format!("--access.allow=[{{ who = [{key:?}], what = [\"operator\", \"member\"] }}]");
    let closed = Node::start(&["--access.trust_local=false", &rule]).await;
    for (method, status) in ten_calls(&calling_for(&closed, &key).await).await {
        assert_eq!(status.code(), Code::Unauthenticated, "{method}: {status}");
    }
    // Where local callers may do everything, none of them is a member by saying so.
    let open = Node::start(&[]).await;
    let own = format!("key:{}", status(open.grpc()).await.this.unwrap().endpoint_id);
    let calling = calling_for(&open, &own).await;
    let refused = [
        RaftClient::new(calling.clone()).vote(VoteRequest::default()).await.unwrap_err(),
        TokenRecordsClient::new(calling).change(ChangeRequest::default()).await.unwrap_err(),
    ];
    for status in refused {
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    }
}

#[tokio::test]
async fn a_members_address_is_changed_by_that_member_alone() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let other = (leader + 1) % 3;
    let known: Member = cluster.status(other).await.unwrap().this.unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let target = format!("grpc://{}", elsewhere.local_addr().unwrap());
    for place in 0..3 {
        let client = ClusterClient::new(connect(cluster.node(place).grpc()).await);
        // What the member has signed, with another address; and without a signature.
        for signature in [known.signature.clone(), Default::default()] {
            for (incarnation, hint) in [(known.incarnation, false), (known.incarnation + 1, true)] {
                let moved = Member {
                    targets: vec![target.clone()],
                    incarnation,
                    signature: signature.clone(),
                    ..known.clone()
                };
                let request = UpdateMemberRequest { member: Some(moved), hint, ..Default::default() };
                let refused = client.update_member(request).await.unwrap_err();
                assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
            }
        }
    }
    let members = cluster.status(leader).await.unwrap().members;
    let now = members.into_iter().find(|member| member.id == known.id).unwrap();
    assert_eq!(now.targets, known.targets);
    assert!(elsewhere.accept().is_err(), "the leader has dialled it");
}

#[tokio::test]
async fn a_join_tells_a_caller_elsewhere_nothing_of_the_nodes_machine() {
    let anyone = "--access.allow=[{ who = [\"anyone\"], what = [\"operator\"] }]";
    let node = Node::start(&["--transport.iroh.bind_address=0.0.0.0", anyone]).await;
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    open.set_nonblocking(true).unwrap();
    let port = open.local_addr().unwrap().port();
    let seeds = [
        format!("grpc://127.0.0.1:{port}"),
        "grpc://127.0.0.1:1".to_owned(),
        format!("grpc://localhost:{port}"),
        format!("grpc://[::ffff:127.0.0.1]:{port}"),
        "unix:///run/secret.sock".to_owned(),
        "memory://secret".to_owned(),
    ];
    let client = ClusterClient::new(connect(node.grpc()).await);
    for seed in seeds {
        // As a gateway calls for a caller on another machine.
        let join = client.join(JoinRequest { seed: seed.clone(), ..JoinRequest::default() });
        let refused = join.metadata("polywire-caller", "remote").await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::Unavailable, "the seed cannot be reached"),
            "{seed}"
        );
    }
    assert!(open.accept().is_err(), "the node has dialled it");
    assert_eq!(status(node.grpc()).await.members.len(), 1);
}
