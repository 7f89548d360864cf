//! Dials targets, makes calls of every shape, closes and dials again, until it is killed. For each round that went
//! well it prints the number of its target, and it ends at the first panic in any of its threads.

use std::{error::Error, io::Write as _, time::Duration};

use polywire::{
    ConnectOptions, Status, Streaming, Target,
    iroh::{Dialer, QuicProfile},
};
use polywire_tests::{
    endpoint,
    ledger::{LedgerClient, Order},
};

/// How many connections to each target are made and used at a time.
const TOGETHER: usize = 2;

/// How long a call may take; a peer that stands still for a while is no failure.
const TIMEOUT: Duration = Duration::from_secs(5);

/// In which of so many rounds calls of each shape are made; the others are for the handshake.
const EACH: u32 = 4;

/// How long it rests after a failure.
const REST: Duration = Duration::from_millis(50);

/// How many bytes a message carries: more than one datagram holds.
const BALLAST: u32 = 4_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let mut tasks = tokio::task::JoinSet::new();
    for (number, target) in std::env::args().skip(1).enumerate() {
        let target: Target = target.parse()?;
        for _ in 0..TOGETHER {
            tasks.spawn(call_on(number, target.clone()));
        }
    }
    tasks.join_all().await;
    Ok(())
}

async fn call_on(number: usize, target: Target) {
    // An endpoint for each connection would take longer than the handshake, of which there are to be many.
    let dialer = Dialer::new(endpoint::tuned(&QuicProfile::default()).await);
    let options = ConnectOptions::new().with(dialer);
    for count in 0_u32.. {
        match round(&target, &options, count.is_multiple_of(EACH)).await {
            Ok(()) => {
                // Without a reader there is nothing left to do.
                if writeln!(std::io::stdout(), "{number}").is_err() {
                    return;
                }
            }
            Err(status) => {
                eprintln!("{target}: {status}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// A connection, a call on it or one of each shape, and its end.
async fn round(target: &Target, options: &ConnectOptions, each_shape: bool) -> Result<(), Status> {
    let client = LedgerClient::new(target.connect(options).await?);
    let order = || Order { answer: BALLAST, ballast: vec![0; BALLAST as usize], ..Order::default() };
    client.look(order()).timeout(TIMEOUT).await?;
    if !each_shape {
        return Ok(());
    }
    let mut entries = client.follow(order()).timeout(TIMEOUT).await?;
    while entries.message().await?.is_some() {}
    client.enter_all(Streaming::from_iter([order(), order()])).timeout(TIMEOUT).await?;
    Ok(())
}
