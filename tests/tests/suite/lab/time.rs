//! How long packets are under way.

use std::time::{Duration, Instant};

use polywire_tests::{
    lab::{Conditions, Direction, Lab},
    patience::within,
};
use tokio::net::UdpSocket;

use super::sockets;

const DELAY: Duration = Duration::from_millis(50);

/// The shortest of ten round trips: it says most of the link, and least of the machine.
async fn round_trip([near, far]: &[UdpSocket; 2]) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..10 {
        let begun = Instant::now();
        near.send(b"there").await.unwrap();
        within(far.recv(&mut [0; 5])).await.unwrap();
        far.send(b"back").await.unwrap();
        within(near.recv(&mut [0; 4])).await.unwrap();
        shortest = shortest.min(begun.elapsed());
    }
    shortest
}

#[tokio::test]
async fn a_round_trip_takes_the_delay_of_both_directions() {
    let Some(lab) = Lab::or_skip().await else { return };
    let sockets = sockets(&lab).await;
    let delayed = Conditions { delay: DELAY, ..Conditions::default() };

    let good = round_trip(&sockets).await;
    assert!(good < DELAY / 5, "{good:?} without delay");
    lab.set_one_way(Direction::ToFar, delayed);
    let one_way = round_trip(&sockets).await;
    assert!((DELAY..DELAY * 2).contains(&one_way), "{one_way:?} with one delay");
    lab.set(delayed);
    let both_ways = round_trip(&sockets).await;
    assert!((DELAY * 2..DELAY * 3).contains(&both_ways), "{both_ways:?} with two");
    lab.set(Conditions::default());
    let good = round_trip(&sockets).await;
    assert!(good < DELAY / 5, "{good:?} without delay again");
}

#[tokio::test]
async fn datagrams_arrive_no_faster_than_the_rate() {
    let Some(lab) = Lab::or_skip().await else { return };
    let [near, far] = sockets(&lab).await;
    // With their headers, of 20 and 8 bytes, these are a thousand bytes each, and a hundred a second.
    lab.set(Conditions { rate: Some(800_000), ..Conditions::default() });
    let begun = Instant::now();
    for _ in 0..50 {
        near.send(&[0; 972]).await.unwrap();
    }
    for _ in 0..50 {
        within(far.recv(&mut [0; 972])).await.unwrap();
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(500), "{took:?}");
}
