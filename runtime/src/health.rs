use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::service::BoxFuture;

/// How a node is: where it stands in its life, and what its components say of themselves. Clones share it.
///
/// A component registers a check that really checks; the node runs the checks now and then, and everyone
/// who asks (the health service, `/readyz`) reads the same [`HealthReport`].
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
pub struct Health(Arc<Shared>);

struct Shared {
    report: watch::Sender<HealthReport>,
    checks: Mutex<Vec<Arc<Check>>>,
    /// Held while they run: a check that is under way is not started again, and would seem to hang.
    turn: tokio::sync::Mutex<()>,
}

/// What is asked of one component.
struct Check {
    component: String,
    start: Box<dyn Fn() -> BoxFuture<Result<(), String>> + Send + Sync>,
    /// Held while it runs.
    running: Arc<tokio::sync::Mutex<()>>,
}

/// Where a node stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeState {
    /// Not everything listens yet.
    #[default]
    Starting,
    /// Takes calls.
    Serving,
    /// Takes no new calls, and finishes those in flight.
    Draining,
}

/// How a node is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthReport {
    /// Where it stands in its life.
    pub state: NodeState,
    /// What each component's check said last: nothing wrong, or what is.
    pub components: BTreeMap<String, Result<(), String>>,
    /// Services that said of themselves that they take no calls, and why.
    pub failing_services: BTreeMap<String, String>,
    /// What people should know, though the node takes calls: by what it is about.
    pub notes: BTreeMap<String, String>,
    /// Why nothing but a restart of the process helps, where that is so.
    pub needs_restart: Option<String>,
}

impl HealthReport {
    /// Whether the node as a whole takes calls.
    pub fn is_serving(&self) -> bool {
        let is_well = self.components.values().all(Result::is_ok) && self.is_live();
        self.state == NodeState::Serving && is_well
    }

    /// Whether the process is worth keeping: what is wrong with it, if anything is, may pass. `/livez` says so.
    pub fn is_live(&self) -> bool {
        self.needs_restart.is_none()
    }

    /// Whether this service takes calls, as far as it is served at all.
    pub fn is_service_serving(&self, service: &str) -> bool {
        self.is_serving() && !self.failing_services.contains_key(service)
    }

    /// Why the node takes no calls; empty where it does.
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
    /// A node that is starting and has no components.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            report: watch::Sender::default(),
            checks: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    /// How the node is now.
    pub fn report(&self) -> HealthReport {
        self.0.report.borrow().clone()
    }

    /// The reports as they change.
    pub fn watch(&self) -> watch::Receiver<HealthReport> {
        self.0.report.subscribe()
    }

    /// Moves the node on in its life.
    pub fn set_state(&self, state: NodeState) {
        self.change(|report| report.state = state);
    }

    /// Adds a component. Its check returns what is wrong, for people; until it has run for the first
    /// time, the component counts as failing.
    pub fn register<F, O>(&self, component: impl Into<String>, check: F)
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = Result<(), String>> + Send + 'static,
    {
        let component = component.into();
        let check = Check {
            component: component.clone(),
            start: Box::new(move || Box::pin(check())),
            running: Arc::default(),
        };
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(check));
        self.change(|report| {
            report.components.insert(component, Err("not checked yet".to_owned()));
        });
    }

    /// Says of one service whether it takes calls: `Err` with the reason where it does not.
    pub fn set_service(&self, service: &str, outcome: Result<(), String>) {
        self.change(|report| {
            match outcome {
                Ok(()) => report.failing_services.remove(service),
                Err(reason) => report.failing_services.insert(service.to_owned(), reason),
            };
        });
    }

    /// Says something that people should know of `about`, though the node takes calls; `None` that there is nothing any
    /// more.
    pub fn note(&self, about: &str, text: Option<String>) {
        self.change(|report| {
            match text {
                Some(text) => report.notes.insert(about.to_owned(), text),
                None => report.notes.remove(about),
            };
        });
    }

    /// Says that nothing but a restart of the process helps, and why: a supervisor that asks `/livez` will see to it. The
    /// first reason stays, for there is no way back.
    pub fn needs_restart(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.report().is_live() {
            tracing::error!(reason, "this process must be restarted");
        }
        self.change(|report| {
            report.needs_restart.get_or_insert(reason);
        });
    }

    /// Runs every check once, side by side; behind those who came to do so before. One that takes longer than `timeout` has failed and is aborted;
    /// one that goes on even then, for it blocks its thread, is not started again before it has ended.
    ///
    /// # Cancel safety
    /// Safe: checks that have begun go on, and their outcomes are not reported.
    pub async fn run_checks(&self, timeout: Duration) {
        let _turn = self.0.turn.lock().await;
        let checks = self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outcomes = checks.into_iter().map(|check| async move {
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
            return Err("the check still hangs".to_owned());
        };
        let check = (self.start)();
        let mut task = tokio::spawn(async move {
            let _running = running;
            crate::panic::caught(check).await
        });
        match tokio::time::timeout(timeout, &mut task).await {
            Ok(Ok(Ok(outcome))) => outcome,
            Ok(Ok(Err(panic))) => {
                panic.say("a health check");
                Err("the check panicked".to_owned())
            }
            Ok(Err(_)) => Err("the check was ended".to_owned()),
            Err(_) => {
                task.abort();
                Err(format!("the check took longer than {timeout:?}"))
            }
        }
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
        assert_eq!(health.report().components["blocks"], Err("the check still hangs".to_owned()));
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
    async fn a_change_that_changes_nothing_wakes_nobody() {
        let health = Health::new();
        let mut watch = health.watch();
        watch.borrow_and_update();
        health.set_state(NodeState::Starting);
        assert!(!watch.has_changed().unwrap());
        health.set_state(NodeState::Serving);
        assert!(watch.has_changed().unwrap());
    }
}
