//! How many allocations it takes to choose between transports. They can be counted, unlike time.

use std::alloc::System;

use clap::Parser;
use polywire_benches::{
    choosing::{Arguments, EVERYTHING, MOST_ALLOCATIONS, hold},
    counted::Count,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::test]
async fn choosing_with_everything_on_takes_at_most_two_allocations_more() {
    let arguments = Arguments::parse_from(["choosing", "--rounds=3", "--calls=2000"]);
    let report = hold(&arguments, || Count::of(&ALLOCATOR.stats())).await.unwrap();
    let row = |name| report.rows.iter().find(|row| row.channel == name).unwrap();
    assert!(row("one").allocations.median >= 1.0, "{report}");
    // A fifth for what is done now and then: probes, hedged calls, asking how long the handler takes.
    assert!(row(EVERYTHING).more_allocations.median <= MOST_ALLOCATIONS + 0.2, "{report}");
}

#[tokio::test]
async fn what_cannot_be_measured_is_an_error() {
    let arguments = Arguments::parse_from(["choosing", "--rounds=0"]);
    let error = hold(&arguments, || Count::of(&ALLOCATOR.stats())).await.unwrap_err();
    assert!(error.to_string().contains("at least 1"), "{error}");
}
