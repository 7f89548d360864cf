use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use polywire_tests::node::{FREE_PORTS, Node, binary, run};
use tokio::process::Command;

#[tokio::test]
async fn a_node_is_the_same_after_a_restart_and_its_key_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = format!("--node.data_dir={}", directory.path().join("deep/data").display());
    let printed = run(directory.path(), &["id", &data]).await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let id = printed.stdout.trim_end();
    for _ in 0..2 {
        let node =
            Node::start_with(Command::new(binary()), [data.as_str(), FREE_PORTS[0], FREE_PORTS[1]]).await;
        assert_eq!(node.targets.node_id, id);
        assert!(node.iroh().contains(id));
        node.terminate().await;
    }
    let key = directory.path().join("deep/data/identity.key");
    let mode = fs::metadata(key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let data = format!("--node.data_dir={}", directory.path().display());
    run(directory.path(), &["id", &data]).await;
    let key = directory.path().join("identity.key");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let refused = run(directory.path(), &["serve", "--json", &data, FREE_PORTS[0], FREE_PORTS[1]]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("identity.key") && refused.stderr.contains("0600"), "{}", refused.stderr);
}
