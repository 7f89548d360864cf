//! What the simulation shows, and that what is published is what it shows now.

use std::{path::Path, time::Duration};

use polywire_adaptive::{Run, SCENARIOS, Scenario, plot, run};

fn played(name: &str) -> Run {
    run(Scenario::named(name).expect("a scenario of this name"))
}

/// How long after this, in seconds, the channel first took the transport; and after how many calls.
fn taken_after(run: &Run, second: f64, iroh: bool) -> (f64, usize) {
    let mut later = run.within(second..f64::INFINITY).enumerate();
    let (calls, call) = later.find(|(_, call)| call.takes_iroh == iroh).expect("it is taken");
    (call.at.as_secs_f64() - second, calls)
}

#[test]
fn when_a_transport_becomes_slow_calls_leave_it_within_a_second_and_return_within_half_a_minute() {
    let run = played("step");
    assert!(run.share(1.0..20.0) > 0.97);
    let (seconds, calls) = taken_after(&run, 20.0, false);
    assert!(seconds < 1.0 && calls < 50, "after {seconds} s and {calls} calls");
    assert!(run.share(21.0..60.0) < 0.02, "{}", run.share(21.0..60.0));
    let (seconds, _) = taken_after(&run, 60.0, true);
    assert!(seconds < 30.0, "after {seconds} s");
    assert!(run.share(60.0 + seconds + 1.0..100.0) > 0.97);
    assert_eq!(run.switches(0.0..100.0), 2);
}

#[test]
fn where_calls_are_rare_a_few_of_them_are_enough() {
    let run = played("seldom");
    let (_, calls) = taken_after(&run, 200.0, false);
    assert!(calls <= 10, "after {calls} calls");
    assert_eq!(run.switches(0.0..300.0), 1);
}

#[test]
fn a_slow_transport_has_the_share_that_explores_and_no_more() {
    let run = played("slow");
    let (before, after) = (run.share(0.0..1.0), run.share(1.0..60.0));
    assert!(before < 0.1, "it is known at once: {before}");
    assert!((0.001..0.02).contains(&after), "{after}");
}

#[test]
fn one_that_wavers_is_left_and_not_followed() {
    let run = played("wavering");
    assert!(run.switches(0.0..60.0) <= 2, "{}", run.switches(0.0..60.0));
    assert!(run.share(5.0..60.0) < 0.02, "{}", run.share(5.0..60.0));
}

#[test]
fn one_that_comes_and_goes_is_taken_more_and_more_seldom_and_costs_no_call() {
    let run = played("coming and going");
    assert!((2..=7).contains(&run.switches(0.0..60.0)), "{}", run.switches(0.0..60.0));
    assert!(run.switches(30.0..60.0) <= 2, "{}", run.switches(30.0..60.0));
    assert_eq!(run.failed(0.0..60.0), 0);
}

#[test]
fn one_that_breaks_calls_is_left_though_it_is_faster() {
    let run = played("breaking");
    assert!(run.share(1.0..20.0) > 0.97);
    assert!(run.share(21.0..60.0) < 0.02, "{}", run.share(21.0..60.0));
    assert!(run.switches(20.0..60.0) <= 5, "{}", run.switches(20.0..60.0));
    assert!(run.failed(20.0..60.0) <= 12, "{} of 4000 calls failed", run.failed(20.0..60.0));
}

#[test]
fn between_two_that_are_alike_nothing_flaps() {
    let run = played("alike");
    assert!(run.switches(0.0..60.0) <= 1, "{}", run.switches(0.0..60.0));
}

#[test]
fn nothing_that_works_starves() {
    for name in ["step", "slow", "wavering", "breaking", "alike"] {
        let run = played(name);
        for iroh in [true, false] {
            let longest = run.longest_without(iroh);
            assert!(longest < Duration::from_secs(5), "{name}, over Iroh {iroh}: {longest:?}");
        }
    }
}

#[test]
fn each_run_is_the_same() {
    for scenario in SCENARIOS {
        assert_eq!(run(scenario).calls, run(scenario).calls, "{}", scenario.name);
    }
}

#[test]
fn the_published_plot_is_what_happens_now() {
    let runs: Vec<_> = SCENARIOS.iter().map(run).collect();
    let drawn = plot(&runs).unwrap();
    let document = roxmltree::Document::parse(&drawn).unwrap();
    let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
    for scenario in SCENARIOS {
        assert!(texts.contains(&scenario.title), "{} is not in {texts:?}", scenario.title);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/adaptive.svg");
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(
        published == drawn,
        "{} is another plot; `cargo run -p polywire-adaptive -- --plots runtime` draws it anew",
        path.display()
    );
}
