//! Labs at once, and after them.

use std::{path::Path, process::Stdio};

use polywire_tests::{
    lab::{Counters, Direction, Lab},
    patience::{eventually, within},
};
use tokio::{process::Command, sync::oneshot};

use super::sockets;

/// What a lab is known by to the system.
#[derive(Debug)]
struct Traces {
    namespaces: [String; 2],
    devices: [String; 2],
}

impl Traces {
    fn of(lab: &Lab) -> Self {
        let sides = [lab.near(), lab.far()];
        Self {
            namespaces: sides.map(|side| side.name().to_owned()),
            devices: sides.map(|side| side.device().to_owned()),
        }
    }

    /// Asserts that nothing is known of it.
    fn assert_gone(&self) {
        for name in &self.namespaces {
            assert!(!Path::new("/run/netns").join(name).exists(), "{name} is left");
        }
        for device in &self.devices {
            assert!(!Path::new("/sys/class/net").join(device).exists(), "{device} is left");
        }
    }
}

#[tokio::test]
async fn two_labs_at_once_do_not_meet() {
    let Some(first) = Lab::or_skip().await else { return };
    let second = Lab::new().await.unwrap();
    let [near, far] = sockets(&first).await;
    let [stranger, _] = sockets(&second).await;
    // The address exists in each of them.
    stranger.connect(far.local_addr().unwrap()).await.unwrap();
    stranger.send(b"from the second").await.unwrap();
    let forwarded = async || (second.counters(Direction::ToFar).forwarded == 1).then_some(());
    eventually("the second has forwarded it", forwarded).await;
    assert_eq!(first.counters(Direction::ToFar), Counters::default());

    near.send(b"from the first").await.unwrap();
    let mut first_to_arrive = [0; 20];
    let length = within(far.recv(&mut first_to_arrive)).await.unwrap();
    assert_eq!(&first_to_arrive[..length], b"from the first");
}

#[tokio::test]
async fn a_side_has_loopback_and_its_end_of_the_link_and_no_way_out() {
    let Some(lab) = Lab::or_skip().await else { return };
    for side in [lab.near(), lab.far()] {
        let output = side.command("ip").args(["-brief", "address"]).output().await.unwrap();
        let devices = String::from_utf8(output.stdout).unwrap();
        let words = Vec::from_iter(devices.lines().map(|line| Vec::from_iter(line.split_whitespace())));
        assert_eq!(words.len(), 2, "{devices}");
        assert_eq!((words[0][0], words[0][2]), ("lo", "127.0.0.1/8"), "{devices}");
        let end = (side.device(), format!("{}/24", side.address()));
        assert_eq!((words[1][0], words[1][2..].join(" ")), end, "{devices}");
        let routes = side.command("ip").args(["route", "show", "default"]).output().await.unwrap();
        assert_eq!(routes.stdout, b"");
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_lab_nor_of_the_processes_in_it() {
    let Some(lab) = Lab::or_skip().await else { return };
    let traces = Traces::of(&lab);
    // One whose parent has ended and does not kill it.
    let mut shell = lab.far().command("sh");
    shell.args(["-c", "sleep 1000 & echo $!"]).stdout(Stdio::piped());
    // Its pipe is not that which is read to the end.
    shell.args(["sh"]).stderr(Stdio::null());
    let mut shell = shell.spawn().unwrap();
    within(shell.wait()).await.unwrap();
    let sleeping = lab.far().command("ip").args(["netns", "pids", lab.far().name()]).output().await.unwrap();
    let sleeping = String::from_utf8(sleeping.stdout).unwrap();
    let sleeping = sleeping.split_whitespace().next().expect("a process in the background").to_owned();
    lab.near().spawn(std::future::pending::<()>());

    drop(lab);
    traces.assert_gone();
    eventually("it has ended", async || has_ended(&sleeping).then_some(())).await;
}

/// Whether nothing runs by this process id; a zombie does not.
fn has_ended(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_lab_whose_test_panicked() {
    if Lab::or_skip().await.is_none() {
        return;
    }
    let (tell, told) = oneshot::channel();
    let test = tokio::spawn(async move {
        let lab = Lab::new().await.unwrap();
        tell.send(Traces::of(&lab)).unwrap();
        panic!("as tests do");
    });
    assert!(within(test).await.unwrap_err().is_panic());
    within(told).await.unwrap().assert_gone();
}

#[tokio::test]
async fn what_a_killed_run_left_is_swept_up_by_the_next() {
    if Lab::or_skip().await.is_none() {
        return;
    }
    let mut ended = Command::new("true").spawn().unwrap();
    let pid = ended.id().unwrap();
    ended.wait().await.unwrap();
    let left = format!("polywire-{pid}-00000000-near");
    let mine = format!("polywire-{}-00000000-near", std::process::id());
    for name in [&left, &mine] {
        let made = Command::new("ip").args(["netns", "add", name]).status().await.unwrap();
        assert!(made.success());
    }
    drop(Lab::new().await.unwrap());
    let [left, mine_is_left] = [&left, &mine].map(|name| Path::new("/run/netns").join(name).exists());
    Command::new("ip").args(["netns", "delete", &mine]).status().await.unwrap();
    assert!(!left, "that of a process that has ended is gone");
    assert!(mine_is_left, "that of one that runs is not");
}
