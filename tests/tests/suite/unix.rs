//! Calls over Unix sockets.

mod grpc;

use std::os::unix::{fs::PermissionsExt as _, net::UnixListener};

use polywire::{
    Code, ConnectOptions, Context, Drain, Status, Target,
    transport::{BindContext, BindError, Bound as _, Serving, Transport as _, framed::Listening},
    unix::{Config, Listener, Unix},
};
use polywire_tests::{inventory::Item, node::Node};

#[polywire::service(package = "tests.v1")]
trait Door {
    /// Who knocks, and from where.
    async fn knock(&self, cx: &Context, item: Item) -> Result<Item, Status>;
}

struct Porter;

impl Door for Porter {
    async fn knock(&self, cx: &Context, _: Item) -> Result<Item, Status> {
        let caller = cx.caller().ok_or_else(|| Status::internal("there is no caller"))?;
        Ok(Item::named(format!(
            "{} {:?} {:?} {}",
            caller.transport,
            caller.identity.as_ref().map(ToString::to_string),
            caller.address,
            caller.is_local
        )))
    }
}

/// What the porter says of this process.
fn knocked() -> String {
    let uid = rustix::process::getuid().as_raw();
    format!("unix Some(\"uid:{uid}\") Some(\"pid:{}\") true", std::process::id())
}

async fn bind(path: &std::path::Path) -> Result<Listening<Listener>, BindError> {
    let node = BindContext::new([7; 32], DoorServer::new(Porter));
    Unix.bind(Config { path: path.to_owned(), ..Config::default() }, node).await
}

#[tokio::test]
async fn a_caller_is_its_user_and_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("door.sock");
    let bound = bind(&path).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let target: Target = bound.target().parse().unwrap();
    assert_eq!(target.to_string(), format!("unix://{}", path.display()));
    let drain = Drain::new();
    let serving = tokio::spawn(bound.serve(Serving::new(DoorServer::new(Porter), drain.clone())));
    let client = DoorClient::new(target.connect(&ConnectOptions::new()).await.unwrap());
    assert_eq!(client.knock(Item::default()).await.unwrap().name, knocked());
    drain.stop();
    serving.await.unwrap();
    assert!(!path.exists(), "the socket is removed with its server");
    assert_eq!(client.knock(Item::default()).await.unwrap_err().code(), Code::Unavailable);
    let gone = client.knock(Item::default()).await.unwrap_err();
    assert!(gone.is_not_processed() && gone.message().contains("door.sock"), "{gone}");
}

#[tokio::test]
async fn a_socket_that_nobody_answers_at_is_replaced_and_no_other_file_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("door.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "what a killed process leaves");
    let bound = bind(&path).await.unwrap();

    let answered = bind(&path).await.unwrap_err();
    assert!(answered.to_string().contains("transport.unix.path"), "{answered}");
    assert!(std::error::Error::source(&answered).unwrap().to_string().contains("another process listens"));

    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    drop(bound);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious", "it is not the server's own any more");
    let file = bind(&path).await.unwrap_err();
    assert!(std::error::Error::source(&file).unwrap().to_string().contains("no socket"));
}

#[tokio::test]
async fn a_node_serves_over_its_socket_and_is_called_by_its_target() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.sock");
    let flag = format!("--transport.unix.path={}", path.display());
    let node = Node::start(&["--transport.unix.enabled=true", &flag]).await;
    let target = format!("unix://{}", path.display());
    assert_eq!(node.target("unix"), target);
    let target: Target = target.parse().unwrap();
    let channel = target.connect(&ConnectOptions::new()).await.unwrap();
    let health = polywire_services::health::HealthClient::new(channel);
    let answer = health.check(Default::default()).await.unwrap();
    assert_eq!(answer.status, 1);
}
