//! Streams that are open when their token ends: over every transport, at a node that trusts no caller.

use std::time::Duration;

use polywire::{Code, ConnectOptions, Status, Streaming, Target};
use polywire_proto::kv::v1::{WatchRequest, WatchResponse};
use polywire_services::raft::KvClient;
use polywire_tests::node::Node;
use tokio::time::timeout;

use super::{id, invite, line, tokens::closed};

const WATCH: &str = "polywire.kv.v1.Kv/Watch";

/// How long an open stream may go on after the command that revokes its token has ended.
const ENDS: Duration = Duration::from_secs(1);

async fn watch(target: &str, token: &str) -> Result<Streaming<WatchResponse>, Status> {
    let channel = target.parse::<Target>().unwrap().connect(&ConnectOptions::new()).await?;
    let watching = KvClient::new(channel).watch(WatchRequest::default());
    watching.metadata("authorization", format!("Bearer {token}")).await
}

async fn watches(targets: &[String], token: &str) -> Vec<Streaming<WatchResponse>> {
    let mut watches = Vec::new();
    for target in targets {
        let mut watch = watch(target, token).await.unwrap();
        watch.message().await.unwrap().expect("where it begins");
        watches.push(watch);
    }
    watches
}

/// That each of these streams, over its target, ends within this time for a reason that has this text.
async fn end(watches: Vec<Streaming<WatchResponse>>, targets: &[String], within: Duration, why: &str) {
    let all = async {
        for (mut watch, target) in watches.into_iter().zip(targets) {
            let status = watch.message().await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{target}: {status}");
            assert!(status.message().starts_with("access to this stream has ended"), "{target}: {status}");
            assert!(status.message().contains(why) && !status.is_not_processed(), "{target}: {status}");
        }
    };
    timeout(within, all).await.expect("they end in time");
}

#[tokio::test]
async fn an_open_stream_ends_once_its_token_is_revoked_or_has_expired() {
    let (node, targets): (Node, _) = closed().await;
    let data_dir = format!("--node.data_dir={}", node.data_dir().display());
    let (kept, token) = (
        invite(&node.data_dir(), &["--method", WATCH]).await,
        invite(&node.data_dir(), &["--method", WATCH]).await,
    );
    let mut others = watches(&targets, &kept).await;
    let revoked = watches(&targets, &token).await;
    line(&["access", "revoke", &id(&token).await, &data_dir]).await;
    end(revoked, &targets, ENDS, "revoked token").await;

    let short = invite(&node.data_dir(), &["--method", WATCH, "--for", "2s"]).await;
    let expired = watches(&targets, &short).await;
    end(expired, &targets, Duration::from_secs(2) + ENDS, "expired token").await;
    for target in &targets {
        let refused = watch(target, &short).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{target}: {refused}");
    }
    for watch in &mut others {
        assert!(timeout(Duration::from_millis(1), watch.message()).await.is_err(), "the other token's go on");
    }
}
