//! A transport that breaks one rule at a time. Each must be noticed: a case that cannot fail shows nothing.

mod answerer;
mod caller;
mod expected;
mod fault;
mod panics;
mod transport;

use std::time::Duration;

use polywire::{config, grpc::Grpc};
use polywire_conformance::{Case, Conformance, Outcome};

use self::{expected::FAULTS, fault::Fault, transport::Broken};
use super::LOOPBACK;

/// How long a case of this fault may take. One that is about time or memory is not ended by the clock: what it has
/// to say must be said by itself.
fn time_limit(fault: Fault) -> Duration {
    Duration::from_secs(if fault == Fault::Interleaving { 10 } else { 60 })
}

fn suite(fault: Fault) -> Conformance {
    let config =
        config::Grpc { bind_address: LOOPBACK, max_concurrent_streams: 16, ..config::Grpc::default() };
    let allocated = || super::ALLOCATOR.current_usage();
    Conformance::new(Broken(fault), config)
        .named(format!("{fault:?}"))
        .concurrency_limit(16)
        .allocated(allocated, super::TOLERANCE)
        .time_limit(time_limit(fault))
}

#[test]
fn a_transport_that_breaks_a_rule_is_found_out() {
    panics::remember();
    let mut missed = Vec::new();
    for (fault, cases) in FAULTS {
        let report = suite(*fault).only(cases.iter().map(|(case, _)| *case)).run();
        assert_eq!(report.results().len(), cases.len(), "{report}");
        for result in report.results() {
            println!("{fault:?}: {:?}: {:?}", result.case, result.outcome);
            let expected = cases.iter().find(|(case, _)| *case == result.case).map(|(_, said)| *said);
            let Outcome::Failed(said) = &result.outcome else {
                missed.push((*fault, result.case, "nothing".to_owned()));
                continue;
            };
            if expected.is_none_or(|expected| !said.contains(expected)) {
                missed.push((*fault, result.case, said.clone()));
            }
        }
    }
    assert!(missed.is_empty(), "these faults were not found, or taken for others: {missed:#?}");
}

#[test]
fn the_same_transport_without_a_fault_passes_those_cases() {
    let cases = FAULTS.iter().flat_map(|(_, cases)| cases.iter().map(|(case, _)| *case));
    suite(Fault::Nothing).only(cases).run().assert();
}

#[test]
fn a_server_that_takes_more_than_it_says_is_found_out() {
    let config = config::Grpc {
        bind_address: LOOPBACK,
        max_message_size: 64 << 20,
        max_concurrent_streams: 1_000,
        ..config::Grpc::default()
    };
    let taken = "expected RESOURCE_EXHAUSTED, found the answer";
    let cases = [
        (Case::RequestOverServers, taken),
        (Case::AnswerOverServers, taken),
        (Case::GzipBomb, taken),
        (Case::ZstdBomb, taken),
        (Case::AtOnce, "expected at most 16 calls at a time on a connection, found more"),
    ];
    let report = Conformance::new(Grpc, config).concurrency_limit(16).only(cases.map(|(case, _)| case)).run();
    for (case, expected) in cases {
        let result = report.results().iter().find(|result| result.case == case).unwrap();
        let found = matches!(&result.outcome, Outcome::Failed(said) if said.contains(expected));
        assert!(found, "{case}: {:?}", result.outcome);
    }
}

#[test]
fn a_transport_that_cannot_bind_says_why() {
    let holder = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let config = config::Grpc { bind_address: holder.local_addr().unwrap(), ..config::Grpc::default() };
    let report = Conformance::new(Grpc, config).only([Case::Unary]).run();
    assert!(report.to_string().contains("Address already in use"), "{report}");
}

#[test]
fn a_case_that_cannot_be_asked_is_left_out_with_its_reason() {
    let cases = [Case::Unary, Case::Caller];
    let report = suite(Fault::Name).only(cases).without(Case::Caller, "pigeons carry no names").run();
    report.assert();
    let text = report.to_string();
    assert!(text.contains("pigeons carry no names") && text.contains("1 not applicable"), "{text}");
    let table = polywire_conformance::matrix(&[report]);
    assert!(table.contains("| - (1) |") && table.contains("1. pigeons carry no names"), "{table}");
}
