//! A decision about a call allocates nothing. That can be counted, unlike time.

use std::alloc::System;

use clap::Parser;
use polywire_benches::{
    access::{Arguments, hold},
    counted::Count,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_decision_about_a_caller_with_a_known_identity_allocates_nothing() {
    let arguments = Arguments::parse_from(["access", "--rounds=3", "--calls=2000"]);
    let report = hold(&arguments, || Count::of(&ALLOCATOR.stats())).unwrap();
    assert_eq!(report.rows.len(), 7);
    for row in &report.rows {
        assert_eq!(row.allocations.max, 0.0, "{report}");
    }
}
