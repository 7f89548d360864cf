//! Who takes part.

mod irpc_iroh;
mod node;
mod plain;
mod plain_iroh;
mod plain_quinn;
mod plain_tonic;

pub(crate) mod roster;
mod tarpc_tcp;

use std::{error::Error, fmt, future::Future, pin::Pin};

use bytes::Bytes;

pub use roster::Roster;

use crate::{
    pattern::{Check, Script},
    sample::Sample,
    turn::Turn,
};

/// Anything may go wrong while a contestant is set up or called; the run ends with it.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A server that runs, and the way to it.
pub trait Stack: Clone + Send + Sync + 'static {
    /// The calling side of one connection.
    type Caller: Caller;

    /// A connection of its own, shared with no caller before. Whether it is dialled here or by the first
    /// call is the stack's affair.
    fn connect(&self) -> impl Future<Output = Result<Self::Caller>> + Send;
}

/// The calling side of a connection. Clones share it; the last one closes it.
pub trait Caller: Clone + Send + 'static {
    /// Why no server can stream to this; `None` where it can.
    const CANNOT_STREAM: Option<&'static str> = None;

    /// One call: the bytes that come back for these.
    fn echo(&mut self, payload: Bytes) -> impl Future<Output = Result<Bytes>> + Send;

    /// One call that is answered with the script's messages, each of which is shown to the check.
    fn subscribe(&mut self, script: Script, check: &mut Check) -> impl Future<Output = Result<()>> + Send;
}

/// A stack with its server running and a client connected.
pub struct Contestant {
    name: &'static str,
    peer: Option<&'static str>,
    stack: Box<dyn DynStack>,
}

/// A connection on which nothing is called. Dropped, it is closed.
pub struct Idle {
    _caller: Box<dyn Send>,
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Stack`] whose type is forgotten. That is outside the loops that are measured.
trait DynStack {
    fn dyn_cannot(&self, turn: &Turn) -> Option<&'static str>;
    fn dyn_play(&self, turn: Turn) -> BoxFuture<'_, Result<Sample>>;
    fn dyn_idle(&self, greeting: Bytes) -> BoxFuture<'_, Result<Idle>>;
}

struct Connected<S: Stack> {
    stack: S,
    caller: S::Caller,
}

impl<S: Stack> DynStack for Connected<S>
where
    S::Caller: Sync,
{
    fn dyn_cannot(&self, turn: &Turn) -> Option<&'static str> {
        matches!(turn, Turn::Stream { .. }).then_some(S::Caller::CANNOT_STREAM).flatten()
    }

    fn dyn_play(&self, turn: Turn) -> BoxFuture<'_, Result<Sample>> {
        Box::pin(turn.play(&self.stack, self.caller.clone()))
    }

    fn dyn_idle(&self, greeting: Bytes) -> BoxFuture<'_, Result<Idle>> {
        Box::pin(async move {
            let mut caller = self.stack.connect().await?;
            if caller.echo(greeting.clone()).await? != greeting {
                return Err("the first answer was altered".into());
            }
            Ok(Idle { _caller: Box::new(caller) })
        })
    }
}

impl Contestant {
    /// A contestant on this stack, to which it connects at once. Its figures are held against those of
    /// `peer`, the name of another one.
    ///
    /// # Errors
    /// When the stack cannot be connected to.
    pub async fn new<S: Stack>(name: &'static str, peer: Option<&'static str>, stack: S) -> Result<Self>
    where
        S::Caller: Sync,
    {
        let caller = stack.connect().await.map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, peer, stack: Box::new(Connected { stack, caller }) })
    }

    /// The name in the report.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name of whom it is compared with: what it stands on, or what does the same by hand.
    pub fn peer(&self) -> Option<&'static str> {
        self.peer
    }

    /// Why it cannot take this turn; `None` where it can.
    pub fn cannot(&self, turn: &Turn) -> Option<&'static str> {
        self.stack.dyn_cannot(turn)
    }

    /// Takes a turn.
    ///
    /// # Errors
    /// When a call fails, or an answer is not what it has to be.
    pub async fn play(&self, turn: Turn) -> Result<Sample> {
        self.stack.dyn_play(turn).await.map_err(|error| format!("{}, {turn}: {error}", self.name).into())
    }

    /// A further connection, on which one call was made and no other is.
    ///
    /// # Errors
    /// When it cannot be made, or the call fails.
    pub async fn idle(&self, greeting: Bytes) -> Result<Idle> {
        let idle = self.stack.dyn_idle(greeting).await;
        idle.map_err(|error| format!("{}, an idle connection: {error}", self.name).into())
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").finish_non_exhaustive()
    }
}
