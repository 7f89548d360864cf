//! The JSON Web Tokens of the node's issuers: their keys are read with the configuration, and again when their files change.

use polywire_core::access::AccessControl;
use tokio::task::JoinSet;

use crate::{Health, config::Issuers};

/// The issuers of a node; without the feature `jwt`, none.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeJwts {
    #[cfg(feature = "jwt")]
    jwts: crate::jwt::Jwts,
    /// Wakes the watch: the issuers or their files are others.
    #[cfg(feature = "jwt")]
    asked: std::sync::Arc<tokio::sync::Notify>,
}

#[cfg(not(feature = "jwt"))]
impl NodeJwts {
    pub(super) fn add_to(&self, _: &AccessControl, _: bool) {}

    pub(crate) fn set(&self, _: Issuers) {}

    pub(crate) fn read_again(&self) {}

    pub(super) fn watch(&self, _: &Health, _: &mut JoinSet<()>) {}
}

#[cfg(feature = "jwt")]
impl NodeJwts {
    /// Lets the access control accept their tokens. A node that forwards calls leaves others alone.
    pub(super) fn add_to(&self, access: &AccessControl, forwards: bool) {
        if forwards {
            self.jwts.pass_on_others();
        }
        access.add_credential(std::sync::Arc::new(self.jwts.clone()));
    }

    /// Replaces the issuers.
    pub(crate) fn set(&self, issuers: Issuers) {
        self.jwts.set(issuers.0);
        self.asked.notify_one();
    }

    /// Has the files with their keys read again.
    pub(crate) fn read_again(&self) {
        self.asked.notify_one();
    }

    /// Reads the files with their keys again when they change, and reports what is refused.
    pub(super) fn watch(&self, health: &Health, tasks: &mut JoinSet<()>) {
        let (own, health) = (self.clone(), health.clone());
        tasks.spawn(async move {
            loop {
                // Before they are read, so that no change in between is missed.
                let mut watched = polywire_core::__runner::Watched::new(own.jwts.files());
                own.renew(&health).await;
                tokio::select! {
                    () = watched.changed() => {}
                    () = own.asked.notified() => watched.settle().await,
                }
            }
        });
    }

    async fn renew(&self, health: &Health) {
        let jwts = self.jwts.clone();
        // Reading a file blocks the thread.
        let read = tokio::task::spawn_blocking(move || jwts.read_again()).await;
        let read = read.unwrap_or_else(|panic| {
            tracing::error!(%panic, "the keys of issuers cannot be read");
            Vec::new()
        });
        let mut problems = Vec::new();
        for (file, outcome) in read {
            let file = file.display();
            match outcome {
                Ok(()) => tracing::info!(%file, "the keys of an issuer were read again"),
                Err(problem) => {
                    tracing::error!(%file, %problem, "the changed keys of an issuer are refused; the previous ones stay in use");
                    problems.push(format!("{file} is refused, the previous keys stay in use: it {problem}"));
                }
            }
        }
        health.note(COMPONENT, (!problems.is_empty()).then(|| problems.join("; ")));
    }
}

/// The component's name in `/readyz?verbose`.
#[cfg(feature = "jwt")]
const COMPONENT: &str = "keys of issuers";
