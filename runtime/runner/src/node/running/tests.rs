use std::{net::Ipv4Addr, path::Path};

use super::*;
use crate::config::Mode;
use polywire_core::Service as _;

/// A node on free ports of loopback, over one transport.
fn config(mode: Mode, data_dir: &Path) -> Config {
    let mut config = Config::default();
    config.node.data_dir = data_dir.to_owned();
    config.transport.mode = mode;
    config.transport.grpc.bind_address = (Ipv4Addr::LOCALHOST, 0).into();
    config.http.bind_address = (Ipv4Addr::LOCALHOST, 0).into();
    config
}

#[tokio::test]
async fn a_configuration_that_contradicts_itself_is_refused_before_anything_listens() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(Mode::Grpc, directory.path());
    config.transport.grpc.tls_key = Some("key.pem".into());
    let error = Node::builder().config(config).bind().await.unwrap_err();
    assert!(error.to_string().contains("transport.grpc.tls_cert"), "{error}");
    assert!(matches!(error, NodeError::Config(_)));
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn schemas_that_do_not_fit_together_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = prost_reflect::prost_types::FileDescriptorProto {
        name: Some("a.proto".to_owned()),
        dependency: vec!["missing.proto".to_owned()],
        ..Default::default()
    };
    let set = prost_reflect::prost_types::FileDescriptorSet { file: vec![file] };
    let builder = Node::builder()
        .config(config(Mode::Grpc, directory.path()))
        .descriptors(prost::Message::encode_to_vec(&set));
    assert!(builder.overview(&Config::default()).is_err());
    let error = builder.bind().await.unwrap_err();
    assert!(matches!(&error, NodeError::Descriptors(reason) if reason.contains("missing.proto")), "{error}");
}

#[cfg(feature = "grpc")]
mod grpc {
    use super::*;
    use polywire_core::{Code, Codec, ConnectOptions, Context, Limits, Payload, Target};

    #[tokio::test]
    async fn a_transport_that_ends_by_itself_ends_the_node_with_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let node = Node::builder().config(config(Mode::Grpc, directory.path())).bind().await.unwrap();
        node.drain.stop();
        let error = node.serve(std::future::pending()).await.unwrap_err();
        assert_eq!(error.to_string(), "the transport grpc ended by itself while the node was serving");
    }

    #[tokio::test]
    async fn a_node_that_is_told_to_stop_has_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let node = Node::builder().config(config(Mode::Grpc, directory.path())).bind().await.unwrap();
        assert!(node.parts().health.report().is_serving());
        node.serve(std::future::ready(())).await.unwrap();
    }

    /// The status line and the body of the HTTP side's answer.
    async fn get(node: &Node, path: &str) -> (String, String) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let address = node.targets().http.as_deref().unwrap().strip_prefix("http://").unwrap().to_owned();
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn the_http_side_says_that_a_restart_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let node = Node::builder().config(config(Mode::Grpc, directory.path())).bind().await.unwrap();
        assert_eq!(get(&node, "/livez").await, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
        node.parts().health.needs_restart("a task has panicked");
        for path in ["/livez", "/readyz?verbose"] {
            let (status, body) = get(&node, path).await;
            assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
            assert!(body.contains("a restart is needed: a task has panicked\n"), "{body}");
        }
    }

    #[tokio::test]
    async fn an_answer_on_the_http_side_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Node::builder().config(config(Mode::Grpc, directory.path())).bind().await.unwrap();
        let (answered, mut answer) = tokio::sync::oneshot::channel();
        let drain = node.http_drain.clone();
        node.http.spawn(async move {
            drain.stopping().await;
            tokio::task::yield_now().await;
            let _ = answered.send(());
        });
        node.serve(std::future::ready(())).await.unwrap();
        assert_eq!(answer.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn metadata_over_the_limit_is_told_with_a_status() {
        let directory = tempfile::tempdir().unwrap();
        let node = Node::builder().config(config(Mode::Grpc, directory.path())).bind().await.unwrap();
        let target: Target = node.targets().get("grpc").unwrap().parse().unwrap();
        let limits = Limits { max_metadata_bytes: 1 << 20, ..Limits::default() };
        let channel = target.connect(&ConnectOptions::new().limits(limits)).await.unwrap();
        let mut cx = Context::new().to(polywire_core::__runner::Path::Static("/a.A/Get"), false);
        for _ in 0..10 {
            cx = cx.with_metadata("long", "x".repeat(6 << 10)).unwrap();
        }
        let status = channel.unary(cx, Payload::encoded(Codec::Protobuf, "".into())).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains("metadata of"), "{status}");
    }
}
