use super::*;
use crate::cli::demo;
use polywire_core::Channel;

/// A server that knows the files of the demo, under one of the two names of the service, and refuses the other so.
fn server_or(path: &'static str, refusal: Status) -> Channel {
    let files = demo::pool();
    demo::peer(move |cx, questions| match cx.path() == path {
        true => Ok(demo::reflected(&files, questions)),
        false => Err(refusal.clone()),
    })
}

fn server(path: &'static str) -> Channel {
    server_or(path, Status::unimplemented("").not_processed())
}

async fn client(server: Channel) -> Client {
    Client::in_process([server]).await
}

#[tokio::test]
async fn a_service_is_described_with_everything_that_its_file_imports() {
    for path in PATHS {
        let pool = describe(&client(server(path)).await, &Metadata::new(), "demo.v1.Demo").await.unwrap();
        let item = pool.get_message_by_name("demo.v1.Item").unwrap();
        assert_eq!(item.get_field_by_name("color").unwrap().kind().as_enum().unwrap().values().len(), 2);
        assert!(pool.get_message_by_name("google.protobuf.Timestamp").is_some());
    }
}

#[tokio::test]
async fn every_service_is_listed_also_one_that_nothing_is_known_of() {
    let (names, pool) = services(&client(server(PATHS[0])).await, &Metadata::new()).await.unwrap();
    assert_eq!(names, ["demo.v1.Demo", "gone.v1.Gone"]);
    assert_eq!(pool.get_service_by_name("demo.v1.Demo").unwrap().methods().len(), 5);
}

#[tokio::test]
async fn a_symbol_that_the_server_does_not_know_is_not_found() {
    let status =
        describe(&client(server(PATHS[0])).await, &Metadata::new(), "gone.v1.Gone").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "unknown symbol"));
}

#[tokio::test]
async fn a_server_that_ends_the_conversation_is_no_reason_to_wait() {
    let mute = demo::peer(|_, _| Ok(Streaming::empty()));
    let status = describe(&client(mute).await, &Metadata::new(), "demo.v1.Demo").await.unwrap_err();
    assert_eq!(status.message(), "the server's reflection ended without an answer");
}

#[tokio::test]
async fn a_proxy_that_refuses_the_newer_name_with_any_code_is_asked_by_the_older() {
    for code in Code::ALL.into_iter().filter(|code| *code != Code::Ok) {
        let proxy = server_or(PATHS[1], Status::new(code, "no route"));
        let pool = describe(&client(proxy).await, &Metadata::new(), "demo.v1.Demo").await.unwrap();
        assert!(pool.get_service_by_name("demo.v1.Demo").is_some(), "{code}");
    }
}

#[tokio::test]
async fn a_target_that_is_not_reached_is_not_asked_twice() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = asked.clone();
    let dead = demo::peer(move |_, _| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(Status::unavailable("refused").not_processed())
    });
    let status = describe(&client(dead).await, &Metadata::new(), "demo.v1.Demo").await.unwrap_err();
    assert_eq!((status.code(), asked.load(std::sync::atomic::Ordering::Relaxed)), (Code::Unavailable, 1));
}

#[tokio::test]
async fn the_refusal_of_the_newer_name_is_told_where_there_is_no_older() {
    let proxy = demo::peer(|cx, _| match cx.path() == PATHS[0] {
        true => Err(Status::permission_denied("a token is missing")),
        false => Err(Status::unimplemented("")),
    });
    let status = describe(&client(proxy).await, &Metadata::new(), "demo.v1.Demo").await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_node_that_denies_the_older_name_which_it_lacks_still_does_not_know_the_symbol() {
    let files = demo::pool();
    let node = demo::peer(move |cx, questions| match cx.path() == PATHS[0] {
        true => Ok(demo::reflected(&files, questions)),
        false => Err(Status::permission_denied("access denied").not_processed()),
    });
    let status = describe(&client(node).await, &Metadata::new(), "gone.v1.Gone").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "unknown symbol"));
}
