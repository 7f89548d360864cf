//! The node's tokens: opened with its identity, asked about each call, and read again when the command line has changed
//! their records.

use std::sync::{Arc, OnceLock, Weak};

use polywire_core::{
    __runner::Watched,
    Status,
    access::{AccessControl, Members},
};
use tokio::task::JoinSet;

use super::{Identity, NodeError, Parts};
use crate::tokens::Tokens;

/// The tokens of a node, once it has its identity.
pub(super) type TokensSlot = Arc<OnceLock<Tokens>>;

impl Parts {
    /// The node's tokens.
    ///
    /// # Errors
    /// `Unavailable` before the node is bound.
    pub fn tokens(&self) -> Result<&Tokens, Status> {
        let unbound = || Status::unavailable("this node is not bound yet").not_processed();
        self.tokens.get().ok_or_else(unbound)
    }
}

/// Opens the records of tokens, and lets the node's access control accept tokens.
pub(super) fn open(parts: &Parts, identity: &Identity, forwards: bool) -> Result<(), NodeError> {
    let data_dir = &parts.config.node.data_dir;
    let opened = Tokens::open(identity.secret_key().clone(), data_dir);
    let tokens = opened.map_err(|error| NodeError::Data {
        path: data_dir.join("tokens.json"),
        problem: format!("cannot be read: {error}"),
    })?;
    if forwards {
        tokens.pass_on_others();
    }
    tokens.set_members(Arc::new(ClusterMembers(Arc::downgrade(&parts.access))));
    parts.access.add_credential(Arc::new(tokens.clone()));
    parts.tokens.get_or_init(|| tokens);
    Ok(())
}

/// The members that the access control knows. It holds the tokens, so they do not hold it.
struct ClusterMembers(Weak<AccessControl>);

impl Members for ClusterMembers {
    fn is_member(&self, key: &[u8; 32]) -> bool {
        self.0.upgrade().is_some_and(|access| access.is_member(key))
    }
}

/// Reads the records again when another process has changed them.
pub(super) fn watch(parts: &Parts, tasks: &mut JoinSet<()>) {
    let Some(tokens) = parts.tokens.get().cloned() else { return };
    tasks.spawn(async move {
        let mut watched = Watched::new([tokens.file().path().to_owned()]);
        loop {
            watched.changed().await;
            let file = tokens.file().clone();
            match tokio::task::spawn_blocking(move || file.read_again()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let file = tokens.file().path().display();
                    tracing::error!(%file, %error, "the records of tokens cannot be read; the previous ones apply");
                }
                Err(error) => tracing::error!(%error, "the records of tokens cannot be read"),
            }
        }
    });
}
