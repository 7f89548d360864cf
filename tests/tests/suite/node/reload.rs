//! A configuration file that changes while the node runs.

use std::{fs, path::PathBuf, time::Duration};

use polywire_tests::{node::Node, patience::eventually};
use rustix::process::Signal;
use tempfile::TempDir;

const WHOLE: &str = "[transport.strategy]\nprefer_iroh_for = ['health', 'status']\n";

async fn node() -> (Node, PathBuf, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    fs::write(&file, "[transport.strategy]\nprefer_iroh_for = ['health']\n").unwrap();
    let node = Node::start(&["--config", file.to_str().unwrap()]).await;
    (node, file, directory)
}

#[tokio::test]
async fn a_file_that_is_written_in_two_halves_is_read_when_it_is_whole() {
    let (node, file, _directory) = node().await;
    // The first half is no TOML, and what a writer has come to after 50 ms.
    fs::write(&file, &WHOLE[..WHOLE.len() - 8]).unwrap();
    node.signal(Signal::HUP);
    tokio::time::sleep(Duration::from_millis(50)).await;
    fs::write(&file, WHOLE).unwrap();
    // What comes next is refused, and said where it can be seen: then what came before has been read.
    eventually("the whole was read", async || {
        let waiting = node.get("/readyz?verbose").await.body;
        assert!(!waiting.contains("note: configuration"), "{waiting}");
        node.signal(Signal::HUP);
        let metadata = fs::metadata(&file).unwrap();
        metadata.modified().unwrap().elapsed().is_ok_and(|age| age > Duration::from_secs(3)).then_some(())
    })
    .await;
    let log = node.terminate().await.stderr;
    assert!(log.contains("the configuration was reloaded"), "{log}");
    assert!(!log.contains("refused"), "{log}");
}

#[tokio::test]
async fn a_file_that_became_empty_is_refused_and_one_with_a_comment_is_not() {
    let (node, file, _directory) = node().await;
    for empty in ["", "\n \n"] {
        fs::write(&file, empty).unwrap();
        node.signal(Signal::HUP);
        let page = eventually("it is refused", async || {
            let page = node.get("/readyz?verbose").await;
            page.body.contains("note: configuration: the changed one is refused").then_some(page)
        })
        .await;
        assert_eq!(page.status, 200, "it goes on: {}", page.body);
        assert!(page.body.contains("is empty"), "{}", page.body);
        fs::write(&file, "# All defaults.\n").unwrap();
        node.signal(Signal::HUP);
        eventually("it is read", async || {
            let page = node.get("/readyz?verbose").await;
            (!page.body.contains("note: configuration")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn warnings_are_logged_at_the_start_and_when_the_file_is_read_again() {
    let (node, file, _directory) = node().await;
    // The second key says in `/readyz` that the file was read.
    let policy = "[transport.strategy.policy]\nhealht = { adaptive = true }\n[http]\nenabled = false\n";
    let rule = "[[access.allow]]\nwho = ['dns:api.example.org']\nwhat = ['operator']\n";
    fs::write(&file, format!("{policy}{rule}")).unwrap();
    node.signal(Signal::HUP);
    eventually("it is read", async || {
        node.get("/readyz?verbose").await.body.contains("note: configuration").then_some(())
    })
    .await;
    let log = node.terminate().await.stderr;
    let said = |log: &str, key: &str| {
        log.lines().any(|line| {
            line.contains("WARN") && line.contains(key) && line.contains("did you mean \"health\"?")
        })
    };
    assert!(said(&log, "transport.strategy.policy.healht"), "{log}");
    assert!(log.contains("no caller can prove \"dns:api.example.org\""), "{log}");
    let node = Node::start(&["--transport.strategy.prefer_iroh_for=heatlh"]).await;
    let log = node.terminate().await.stderr;
    assert!(
        said(&log, "--transport.strategy.prefer_iroh_for: transport.strategy.prefer_iroh_for[0]"),
        "{log}"
    );
}
