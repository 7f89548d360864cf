use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use polywire_core::transport::{self, Checks};

/// The health of a node: its lifecycle state and the checks of its components. Clones share the state.
///
/// A component registers a check, and the node runs all checks periodically. The health service and `/readyz` read the
/// same [`HealthReport`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use polywire::{Health, NodeState};
///
/// let health = Health::new();
/// health.register("disk", || async { Err("read-only file system".to_owned()) });
/// health.set_state(NodeState::Serving);
/// health.run_checks(std::time::Duration::from_secs(1)).await;
/// assert_eq!(health.report().reasons(), ["disk: read-only file system"]);
/// # });
/// ```
#[derive(Clone)]
pub struct Health(Arc<SharedHealth>);

struct SharedHealth {
    report: watch::Sender<HealthReport>,
    /// Why the node must end, once it must.
    failure: watch::Sender<Option<String>>,
    checks: ArcSwap<Vec<Arc<Check>>>,
    /// Held while the checks run: a second concurrent run would report running checks as hanging.
    turn: tokio::sync::Mutex<()>,
}

/// The check of one component.
struct Check {
    component: String,
    start: transport::Check,
    /// Held while the check runs.
    running: Arc<tokio::sync::Mutex<()>>,
}

/// The lifecycle state of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeState {
    /// Some transports do not listen yet.
    #[default]
    Starting,
    /// The node accepts calls.
    Serving,
    /// The node accepts no new calls and finishes those in flight.
    Draining,
}

/// The health of a node at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthReport {
    /// The lifecycle state.
    pub state: NodeState,
    /// The last outcome of each component's check; `Err` has the reason.
    pub components: BTreeMap<String, Result<(), String>>,
    /// The services that reported themselves as not serving, with the reasons.
    pub failing_services: BTreeMap<String, String>,
    /// Notes by subject. The node accepts calls in spite of them.
    pub notes: BTreeMap<String, String>,
    /// The reason why the process needs a restart, if it does.
    pub needs_restart: Option<String>,
}

impl HealthReport {
    /// Whether the node as a whole accepts calls.
    pub fn is_serving(&self) -> bool {
        let is_well = self.components.values().all(Result::is_ok) && self.is_live();
        self.state == NodeState::Serving && is_well
    }

    /// Whether the process can recover without a restart, as `/livez` reports.
    pub fn is_live(&self) -> bool {
        self.needs_restart.is_none()
    }

    /// Whether this service accepts calls, provided that the node has it.
    pub fn is_service_serving(&self, service: &str) -> bool {
        self.is_serving() && !self.failing_services.contains_key(service)
    }

    /// The reasons why the node accepts no calls; empty if it does.
    pub fn reasons(&self) -> Vec<String> {
        let state = match self.state {
            NodeState::Starting => Some("the node is starting".to_owned()),
            NodeState::Serving => None,
            NodeState::Draining => Some("the node is draining".to_owned()),
        };
        let failing = self.components.iter().filter_map(|(name, outcome)| {
            let reason = outcome.as_ref().err()?;
            Some(format!("{name}: {reason}"))
        });
        let restart = self.needs_restart.iter().map(|reason| format!("a restart is needed: {reason}"));
        state.into_iter().chain(restart).chain(failing).collect()
    }
}

impl Health {
    /// Creates the health of a starting node without components.
    pub fn new() -> Self {
        Self(Arc::new(SharedHealth {
            report: watch::Sender::default(),
            failure: watch::Sender::default(),
            checks: ArcSwap::default(),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    /// The current report.
    pub fn report(&self) -> HealthReport {
        self.0.report.borrow().clone()
    }

    /// Watches the report.
    pub fn watch(&self) -> watch::Receiver<HealthReport> {
        self.0.report.subscribe()
    }

    /// Sets the lifecycle state.
    pub fn set_state(&self, state: NodeState) {
        self.change(|report| report.state = state);
    }

    /// Adds a component. Its check returns the problem as a text for people. The component counts as failing until its
    /// check has run.
    pub fn register<F, O>(&self, component: impl Into<String>, check: F)
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.add(component.into(), Box::new(move || Box::pin(check())));
    }

    fn add(&self, component: String, start: transport::Check) {
        let check = Arc::new(Check { component: component.clone(), start, running: Arc::default() });
        self.0.checks.rcu(|checks| {
            let mut checks = Vec::clone(checks);
            checks.push(check.clone());
            checks
        });
        self.change(|report| {
            report.components.insert(component, Err("not checked yet".to_owned()));
        });
    }

    /// Sets whether a service accepts calls; `Err` has the reason why it does not.
    pub fn set_service(&self, service: &str, outcome: Result<(), String>) {
        self.change(|report| {
            match outcome {
                Ok(()) => report.failing_services.remove(service),
                Err(reason) => report.failing_services.insert(service.to_owned(), reason),
            };
        });
    }

    /// Sets the note on the subject `about`, or removes it with `None`. Notes do not affect whether the node accepts calls.
    pub fn note(&self, about: &str, text: Option<String>) {
        self.change(|report| {
            match text {
                Some(text) => report.notes.insert(about.to_owned(), text),
                None => report.notes.remove(about),
            };
        });
    }

    /// Reports that the process needs a restart, so that `/livez` fails and a supervisor restarts it. This is final, and the
    /// first reason stays.
    pub fn needs_restart(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.report().is_live() {
            tracing::error!(reason, "this process must be restarted");
        }
        self.change(|report| {
            report.needs_restart.get_or_insert(reason);
        });
    }

    /// Reports that the node has failed for good: it drains, and [`Node::serve`](crate::Node::serve) returns this reason as its
    /// error, so that a supervisor sees that the process has failed. This is final, and the first reason stays.
    pub fn fail(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.needs_restart(reason.clone());
        self.0.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert(reason);
            is_first
        });
    }

    /// Returns once the node has failed, with the reason.
    pub(crate) async fn failed(&self) -> String {
        let mut failure = self.0.failure.subscribe();
        // The sender is as old as this health.
        let failed = failure.wait_for(Option::is_some).await;
        failed.ok().and_then(|failure| failure.clone()).unwrap_or_default()
    }

    /// Runs all checks once, concurrently. A concurrent call waits for the current run. A check that takes longer than
    /// `timeout` fails and is aborted. A check that blocks its thread cannot be aborted, and is not started again before it
    /// has ended.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the run; checks in progress end on their own.
    pub async fn run_checks(&self, timeout: Duration) {
        let _turn = self.0.turn.lock().await;
        let checks = self.0.checks.load_full();
        let outcomes = checks.iter().map(|check| async move {
            let outcome = check.run(timeout).await;
            (check.component.clone(), outcome)
        });
        let outcomes = futures_util::future::join_all(outcomes).await;
        self.change(|report| report.components.extend(outcomes));
    }

    fn change(&self, change: impl FnOnce(&mut HealthReport)) {
        self.0.report.send_if_modified(|report| {
            let before = report.clone();
            change(report);
            *report != before
        });
    }
}

impl Check {
    async fn run(&self, timeout: Duration) -> Result<(), String> {
        let Ok(running) = self.running.clone().try_lock_owned() else {
            return Err("the previous check still hangs".to_owned());
        };
        let check = (self.start)();
        let mut task = tokio::spawn(async move {
            let _running = running;
            polywire_core::__runner::panic::caught(check).await
        });
        match tokio::time::timeout(timeout, &mut task).await {
            Ok(Ok(Ok(outcome))) => outcome,
            Ok(Ok(Err(panic))) => {
                panic.say("a health check");
                Err("the check panicked".to_owned())
            }
            Ok(Err(_)) => Err("the check was aborted".to_owned()),
            Err(_) => {
                task.abort();
                Err(format!("the check took longer than {timeout:?}"))
            }
        }
    }
}

impl Checks for Health {
    fn register(&self, component: String, check: transport::Check) {
        self.add(component, check);
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&*self.0.report.borrow()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_or_panics_fails() {
        let health = Health::new();
        health.register("hangs", std::future::pending);
        health.register("panics", || async { panic!("no") });
        health.register("works", || async { Ok(()) });
        health.set_state(NodeState::Serving);
        health.run_checks(Duration::from_secs(1)).await;
        assert_eq!(
            health.report().reasons(),
            ["hangs: the check took longer than 1s", "panics: the check panicked"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_took_too_long_is_aborted_and_runs_again() {
        let health = Health::new();
        let (alive, mut aborted) = tokio::sync::mpsc::channel::<()>(1);
        health.register("hangs", move || {
            let alive = alive.clone();
            async move {
                let _alive = alive.try_reserve().map_err(|_| "there are two of it".to_owned())?;
                std::future::pending().await
            }
        });
        for _ in 0..2 {
            health.run_checks(Duration::from_secs(1)).await;
            assert_eq!(health.report().components["hangs"], Err("the check took longer than 1s".to_owned()));
            tokio::task::yield_now().await;
        }
        assert!(aborted.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_check_that_blocks_its_thread_is_not_started_again() {
        let health = Health::new();
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        health.register("blocks", move || {
            let blocked = blocked.clone();
            async move {
                let _ = blocked.lock().unwrap().recv();
                Ok(())
            }
        });
        health.run_checks(Duration::from_millis(1)).await;
        assert_eq!(health.report().components["blocks"], Err("the check took longer than 1ms".to_owned()));
        health.run_checks(Duration::from_secs(60)).await;
        assert_eq!(health.report().components["blocks"], Err("the previous check still hangs".to_owned()));
        drop(release);
    }

    #[test]
    fn what_only_a_restart_can_mend_is_said_for_good() {
        let health = Health::new();
        health.set_state(NodeState::Serving);
        health.register("works", || async { Ok(()) });
        assert!(health.report().is_live(), "what has not been checked may be well");
        health.needs_restart("a task has panicked");
        health.needs_restart("another, too");
        let report = health.report();
        assert!(!report.is_live() && !report.is_serving());
        assert_eq!(report.reasons()[0], "a restart is needed: a task has panicked");
    }

    #[tokio::test]
    async fn a_failure_is_final_and_the_first_reason_stays() {
        let health = Health::new();
        health.set_state(NodeState::Serving);
        let failed = health.clone();
        let failed = tokio::spawn(async move { failed.failed().await });
        health.fail("the log is damaged");
        health.fail("another thing");
        assert_eq!(failed.await.unwrap(), "the log is damaged");
        assert_eq!(health.failed().await, "the log is damaged");
        assert!(!health.report().is_serving() && !health.report().is_live());
    }

    #[tokio::test]
    async fn watchers_wake_only_at_changes() {
        let health = Health::new();
        let mut watch = health.watch();
        watch.borrow_and_update();
        health.set_state(NodeState::Starting);
        assert!(!watch.has_changed().unwrap());
        health.set_state(NodeState::Serving);
        assert!(watch.has_changed().unwrap());
    }
}
