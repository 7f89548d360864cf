//! Who takes part.

pub mod irpc_iroh;
pub mod plain_iroh;
pub mod plain_tonic;
pub mod polywire_grpc;
pub mod polywire_iroh;

use std::{error::Error, fmt, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;

use crate::{load::Load, sample::Sample};

/// Anything may go wrong while a contestant is set up or called; the run ends with it.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The calling side of a stack that echoes. Clones share the connection.
pub trait Caller: Clone + Send + 'static {
    /// One call: the bytes that come back for these.
    fn echo(&mut self, payload: Bytes) -> impl Future<Output = Result<Bytes>> + Send;
}

/// A stack with its server running and its client connected.
pub struct Contestant {
    name: &'static str,
    play: Box<dyn Fn(Load, Duration) -> Playing>,
}

type Playing = Pin<Box<dyn Future<Output = Result<Sample>>>>;

impl Contestant {
    /// A contestant that is called through `caller`. The type is forgotten here and not in the loop that
    /// is measured.
    pub fn new(name: &'static str, caller: impl Caller) -> Self {
        let play = move |load, time| Box::pin(Sample::take(caller.clone(), load, time)) as Playing;
        Self { name, play: Box::new(play) }
    }

    /// The name in the report.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Bears the load for that long.
    ///
    /// # Errors
    /// When a call fails, or an echo differs from what was sent.
    pub async fn play(&self, load: Load, time: Duration) -> Result<Sample> {
        (self.play)(load, time).await.map_err(|error| format!("{}, {load}: {error}", self.name).into())
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}
