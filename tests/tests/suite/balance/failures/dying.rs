//! A peer whose process ends, again and again.

use std::{collections::HashMap, time::Duration};

use fastrand::Rng;
use polywire::ConnectOptions;
use polywire_tests::{
    ledger::{Fate, Journal, Order},
    node::{FREE_PORTS, Node},
};
use tokio::{process::Command, task::JoinSet};

use super::{
    caller::{self, By, Told},
    verdict::{Kind, Verdicts},
};

/// How often it dies, and with how many orders under way.
const DEATHS: u64 = 10;
const TOGETHER: u64 = 12;

/// How long a call may take. What is lost without a word is lost until then.
const TIMEOUT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_dies_again_and_again_executes_nothing_twice_and_nobody_is_told_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledger-node"));
    command.env(Journal::VARIABLE, &journal);
    let mut node = Node::start_with(command, FREE_PORTS).await;
    let mut chance = Rng::with_seed(1);
    let mut told = Vec::new();
    for death in 0..DEATHS {
        let targets = [node.iroh().to_owned(), node.grpc().to_owned()];
        let client = caller::connect(&ConnectOptions::new(), targets).await;
        let mut calls = JoinSet::new();
        for place in 0..TOGETHER {
            let name = death * TOGETHER + place + 1;
            let fate = match place {
                3 => fate(death),
                _ if place % 2 == 0 => Fate::Lingers,
                _ => Fate::Answers,
            };
            let order = Order { name, fate: fate.into(), ..Order::default() };
            let by = [By::Enter, By::EnterAll, By::Follow][chance.usize(..3)];
            calls.spawn(caller::order(client.clone(), by, order, TIMEOUT));
        }
        for _ in 0..chance.usize(..4) {
            told.extend(calls.join_next().await.map(Result::unwrap));
        }
        // It may have died by itself. It is there again while calls are still being made, for one that is made twice to be
        // executed twice.
        node = node.kill().await.start().await;
        told.extend(calls.join_all().await);
    }
    judge(&told, &Journal::read(&journal));
}

/// It dies by its own hand, before it executed an order or after, or by another's.
fn fate(death: u64) -> Fate {
    match death % 3 {
        0 => Fate::DiesBefore,
        1 => Fate::DiesAfter,
        _ => Fate::Answers,
    }
}

fn judge(told: &[Told], executed: &[u64]) {
    let mut times: HashMap<u64, u32> = HashMap::new();
    for name in executed {
        *times.entry(*name).or_default() += 1;
    }
    let mut verdicts = Verdicts::default();
    for told in told {
        verdicts.judge(told, times.get(&told.name).copied().unwrap_or(0));
    }
    println!("{verdicts:?}");
    verdicts.assert_in_time();
    for (kind, times) in [(Kind::Done, 1), (Kind::Maybe, 0), (Kind::Maybe, 1)] {
        assert!(verdicts.count(kind, times) > 0, "{kind:?}, executed {times} times: {verdicts:?}");
    }
}
