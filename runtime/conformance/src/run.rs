use std::{
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Handle};

use super::{
    Case, CaseResult, Conformance, NOTICE, Outcome, Report,
    check::{Stop, Verdict},
    live::Live,
    rig::{Rig, Setup},
};

/// Runs each case in a thread and a runtime of its own: the caller may be within a runtime, whose tasks would be
/// counted, and what a case that failed has left behind must not be held against the next.
pub(super) fn run(suite: Conformance) -> Report {
    let mut results = Vec::new();
    for case in Case::ALL {
        if suite.only.as_ref().is_some_and(|only| !only.contains(case)) {
            continue;
        }
        let begun = Instant::now();
        let outcome = match suite.without.iter().find(|(left_out, _)| left_out == case) {
            Some((_, reason)) => Outcome::NotApplicable(reason.clone()),
            None => std::thread::scope(|scope| {
                let running = scope.spawn(|| in_runtime(&suite, *case));
                running.join().unwrap_or_else(|panic| resume_unwind(panic))
            }),
        };
        results.push(CaseResult { case: *case, outcome, duration: begun.elapsed() });
    }
    Report::new(suite.name, results)
}

fn in_runtime(suite: &Conformance, case: Case) -> Outcome {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no tokio runtime can be made: {error}"));
    let outcome = runtime.block_on(run_one(suite, case));
    // What a failed case has left behind must not hold the report up.
    runtime.shutdown_background();
    outcome
}

async fn run_one(suite: &Conformance, case: Case) -> Outcome {
    let rig = Rig::new(Setup {
        ends: suite.ends.clone(),
        options: suite.options.clone(),
        limits: suite.limits.clone(),
        concurrency: suite.concurrency,
        vanished_within: suite.vanished_within,
        allocated: suite.allocated,
        notes: Mutex::default(),
        handlers: Live::default(),
    });
    let limit = suite.time_limit;
    let mut running = tokio::spawn(case.run(rig.clone()));
    let verdict = match tokio::time::timeout(limit, &mut running).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(panic)) => Err(Stop::Failed(format!("the case panicked: {panic}"))),
        Err(_) => {
            running.abort();
            Err(Stop::Failed(format!("expected an end within {limit:?}, found none")))
        }
    };
    let verdict = match verdict {
        Ok(()) => nothing_left(&rig).await,
        failed => failed,
    };
    match verdict {
        Ok(()) => {
            let notes = std::mem::take(&mut *rig.notes.lock().unwrap_or_else(PoisonError::into_inner));
            Outcome::Passed { notes }
        }
        Err(Stop::Failed(reason)) => Outcome::Failed(reason),
        Err(Stop::NotApplicable(reason)) => Outcome::NotApplicable(reason),
    }
}

/// That no handler and no task is left of a case whose servers and clients are gone. Tasks have longer, for what
/// closes may wait for its peer.
async fn nothing_left(rig: &Rig) -> Verdict {
    rig.handlers.reach(0, NOTICE, "handlers alive after the case").await?;
    let (tasks, limit) = (Handle::current().metrics(), rig.vanished_within + NOTICE);
    let by = Instant::now() + limit;
    while tasks.num_alive_tasks() > 0 {
        if Instant::now() > by {
            let count = tasks.num_alive_tasks();
            let what = format_args!("expected no task after the case within {limit:?}, found {count}");
            return Err(Stop::failed(what));
        }
        // Tokio has no event for the end of a task that another one spawned.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
