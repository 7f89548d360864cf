//! Members that answer, and whose answers are failures.

use tokio::{task::JoinSet, time::sleep};

use super::{cluster::three, *};
use crate::Code;

/// One call each 5 ms for so long, several at a time; how many were made.
async fn calls(client: &WordsClient, time: Duration) -> u32 {
    let mut made = JoinSet::new();
    let count = u32::try_from(time.as_millis() / 5).unwrap();
    for _ in 0..count {
        let client = client.clone();
        made.spawn(async move { write(&client).await.is_ok() });
        sleep(5 * MS).await;
    }
    made.join_all().await;
    count
}

/// The share of the calls made within this time that this host met.
async fn share(client: &WordsClient, host: &Host, time: Duration) -> f64 {
    let before = host.calls();
    let made = calls(client, time).await;
    f64::from(host.calls() - before) / f64::from(made)
}

/// What says that something is wrong with the server, rather than with the call.
const OF_THE_SERVER: [Code; 8] = [
    Code::ResourceExhausted,
    Code::Internal,
    Code::Unknown,
    Code::Unavailable,
    Code::Unimplemented,
    Code::DataLoss,
    Code::DeadlineExceeded,
    Code::Cancelled,
];

#[tokio::test(start_paused = true)]
async fn a_member_that_fails_at_once_has_a_hundredth_of_the_calls_after_a_second() {
    for code in OF_THE_SERVER {
        let (_, hosts, client) = three();
        hosts.iter().for_each(|host| host.is(Mood::Well(20 * MS)));
        calls(&client, SECOND).await;
        hosts[1].is(Mood::Fails(Status::new(code, "nothing works here")));
        calls(&client, SECOND).await;
        let share = share(&client, &hosts[1], 10 * SECOND).await;
        assert!(share <= 0.01, "{code}: {share}");
        assert!(share > 0.0, "{code}: it is tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_never_worked_does_not_draw_the_calls_either() {
    for code in OF_THE_SERVER {
        let (_, hosts, client) = three();
        hosts[1].is(Mood::Fails(Status::new(code, "nothing works here")));
        calls(&client, SECOND).await;
        let share = share(&client, &hosts[1], 10 * SECOND).await;
        assert!(share <= 0.01, "{code}: {share}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_one_of_three_works_it_has_the_calls() {
    let (_, hosts, client) = three();
    calls(&client, SECOND).await;
    for host in &hosts[1..] {
        host.is(Mood::Fails(Status::internal("nothing works here")));
    }
    calls(&client, SECOND).await;
    let share = share(&client, &hosts[0], 10 * SECOND).await;
    assert!(share >= 0.98, "{share}");
}

#[tokio::test(start_paused = true)]
async fn one_that_sheds_its_load_unseen_is_left_alone_too() {
    let (_, hosts, client) = three();
    calls(&client, SECOND).await;
    hosts[1].is(Mood::Fails(Status::resource_exhausted("overloaded").not_processed()));
    calls(&client, SECOND).await;
    let share = share(&client, &hosts[1], 10 * SECOND).await;
    assert!(share <= 0.01, "{share}");
}

#[tokio::test(start_paused = true)]
async fn one_that_works_again_has_its_share_within_seconds_however_long_it_failed() {
    for time in [3 * SECOND, 40 * SECOND] {
        let (_, hosts, client) = three();
        hosts.iter().for_each(|host| host.is(Mood::Well(20 * MS)));
        hosts[1].is(Mood::Fails(Status::internal("nothing works here")));
        calls(&client, time).await;
        hosts[1].is(Mood::Well(20 * MS));
        calls(&client, 6 * SECOND).await;
        let share = share(&client, &hosts[1], 5 * SECOND).await;
        assert!((0.2..0.5).contains(&share), "after {time:?}: {share}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_fails_everywhere_sets_no_member_aside() {
    let (_, hosts, client) = three();
    for host in &hosts {
        host.is(Mood::FailsOne("Write", Status::internal("a bug of the application")));
    }
    let before: Vec<_> = hosts.iter().map(|host| host.calls()).collect();
    for _ in 0..2_000 {
        write(&client).await.unwrap_err();
        read(&client).await.unwrap();
        sleep(5 * MS).await;
    }
    for (host, before) in hosts.iter().zip(before) {
        let share = f64::from(host.calls() - before) / 4_000.0;
        assert!((0.2..0.5).contains(&share), "{}: {share}", host.name);
    }
}

#[tokio::test(start_paused = true)]
async fn where_every_call_fails_everywhere_calls_are_spread_evenly() {
    let (_, hosts, client) = three();
    for host in &hosts {
        host.is(Mood::Fails(Status::internal("nothing works anywhere")));
    }
    calls(&client, SECOND).await;
    for host in &hosts {
        let share = share(&client, host, 5 * SECOND).await;
        assert!((0.2..0.5).contains(&share), "{}: {share}", host.name);
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_faults_say_nothing_against_a_member_and_nothing_for_it() {
    for code in [Code::NotFound, Code::PermissionDenied, Code::InvalidArgument, Code::FailedPrecondition] {
        let (_, hosts, client) = three();
        hosts.iter().for_each(|host| host.is(Mood::Well(5 * MS)));
        hosts[1].is(Mood::Fails(Status::new(code, "it is the call")));
        for _ in 0..300 {
            let _ = write(&client).await;
        }
        let before = hosts[1].calls();
        for _ in 0..1_000 {
            let _ = write(&client).await;
        }
        let share = f64::from(hosts[1].calls() - before) / 1_000.0;
        assert!((0.2..0.45).contains(&share), "{code}: {share}");
    }
}
