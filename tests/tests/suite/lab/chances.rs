//! Loss, duplicates and disorder, as the receiver sees them.

use std::{collections::BTreeSet, ops::RangeInclusive};

use polywire_tests::lab::{Conditions, Direction, Dropped, Lab};

use super::cross;

const SENT: u16 = 2_000;

/// Four standard deviations around what this chance makes of [`SENT`] datagrams.
fn expected(percent: f64) -> RangeInclusive<u64> {
    let chance = percent / 100.0;
    let mean = f64::from(SENT) * chance;
    let deviation = (mean * (1.0 - chance)).sqrt();
    (mean - 4.0 * deviation) as u64..=(mean + 4.0 * deviation) as u64
}

#[tokio::test]
async fn a_good_link_loses_doubles_and_disorders_nothing() {
    let Some(lab) = Lab::or_skip().await else { return };
    let (arrived, counters) = cross(&lab, SENT).await;
    assert_eq!(arrived, Vec::from_iter(0..SENT));
    assert_eq!((counters.duplicated, counters.reordered, counters.dropped), (0, 0, Dropped::default()));
    assert_eq!(lab.counters(Direction::ToNear).forwarded, 0);
}

#[tokio::test]
async fn as_many_datagrams_are_lost_as_was_asked_for() {
    let Some(lab) = Lab::or_skip().await else { return };
    lab.set(Conditions { loss: 10.0, ..Conditions::default() });
    let (arrived, counters) = cross(&lab, SENT).await;
    let lost = u64::from(SENT) - arrived.len() as u64;
    assert!(expected(10.0).contains(&lost), "{lost} are lost");
    assert_eq!(counters.dropped, Dropped { lost, ..Dropped::default() });
    assert!(arrived.is_sorted(), "the others are in order");
}

#[tokio::test]
async fn as_many_datagrams_arrive_twice_as_was_asked_for() {
    let Some(lab) = Lab::or_skip().await else { return };
    lab.set(Conditions { duplicate: 50.0, ..Conditions::default() });
    let (arrived, counters) = cross(&lab, SENT).await;
    let different = BTreeSet::from_iter(&arrived).len();
    assert_eq!(different, usize::from(SENT), "all arrive");
    let doubled = (arrived.len() - different) as u64;
    assert!(expected(50.0).contains(&doubled), "{doubled} are doubled");
    assert_eq!(counters.duplicated, doubled);
}

#[tokio::test]
async fn datagrams_arrive_out_of_order_where_that_was_asked_for() {
    let Some(lab) = Lab::or_skip().await else { return };
    lab.set(Conditions { reorder: 20.0, ..Conditions::default() });
    let (arrived, counters) = cross(&lab, SENT).await;
    assert_eq!(BTreeSet::from_iter(&arrived).len(), usize::from(SENT), "all arrive");
    let mut furthest = 0;
    let mut late = 0;
    for number in arrived {
        late += u64::from(number < furthest);
        furthest = furthest.max(number);
    }
    assert_eq!(counters.reordered, late);
    // Held back are a fifth, but for those that nothing was sent behind in time.
    let most = *expected(20.0).end();
    assert!((100..=most).contains(&late), "{late} are late");
}

#[tokio::test]
async fn the_same_seed_loses_the_same_datagrams_and_another_does_not() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        if Lab::or_skip().await.is_none() {
            return;
        }
        let lab = Lab::with_seed(seed).await.unwrap();
        lab.set(Conditions { loss: 20.0, ..Conditions::default() });
        runs.push(cross(&lab, 100).await.0);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
