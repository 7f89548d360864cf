//! What a program that counts is told of calls, connections and choices: the metrics of a node implement these traits, and
//! nothing here knows how they are shown.

mod in_flight;
#[cfg(test)]
pub(crate) mod recorder;

use std::{fmt, sync::Arc, time::Duration};

pub use self::in_flight::InFlight;

use crate::{Code, payload::EncodeObserver};

/// The service and the method of a call whose method is in no table of this program.
pub const UNKNOWN: (&str, &str) = ("unknown", "unknown");

/// The role of this program in a call or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The program answers calls or accepts connections.
    Server,
    /// The program makes calls or dials connections.
    Client,
}

impl Side {
    /// `server` or `client`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// Observes the calls, connections and choices of a program. All of its methods are called on the path of calls: they
/// must not wait for anything.
///
/// Names of services, methods and transports are constants of this program, never what a peer sent; what a table does not
/// know is [`UNKNOWN`].
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// The observer of one method's calls on one transport; asked for by every call.
    fn call(
        &self,
        side: Side,
        service: &'static str,
        method: &'static str,
        transport: &'static str,
    ) -> Arc<dyn CallObserver>;

    /// The gauge of open connections of a transport: those that were accepted, or those that were dialled.
    fn connections(&self, transport: &'static str, side: Side) -> Arc<dyn ConnectionGauge>;

    /// The observer of a method's calls over the transports of a channel that chooses among them. Those of
    /// [`UNKNOWN`] are of every method that no table has.
    fn choices(
        &self,
        names: (&'static str, &'static str),
        transports: &[&'static str],
    ) -> Box<dyn ChoiceObserver>;

    /// The observer of one more circuit over this transport, until it is dropped.
    fn circuit(&self, transport: &'static str) -> Box<dyn CircuitObserver>;

    /// A call went over another transport than the one it prefers, or was going over; `reason` is a short constant.
    fn fallback(&self, from: &'static str, to: &'static str, reason: &'static str);

    /// A call was retried over the same transport; `reason` is a short constant.
    fn retry(&self, transport: &'static str, reason: &'static str);

    /// The answers of a call over two transports were compared.
    fn mirrored(&self, service: &str, outcome: &'static str);

    /// Reads these samples whenever the measurements are shown.
    ///
    /// # Errors
    /// Why they cannot be shown, for people: a sample of the same name is there already, say.
    fn collect(&self, samples: Box<dyn Collect>) -> Result<(), String>;
}

/// Observes the calls of one method on one transport.
pub trait CallObserver: EncodeObserver + fmt::Debug {
    /// A call has started.
    fn started(&self);

    /// A call has ended; follows exactly one [`started`](Self::started).
    fn ended(&self, code: Code, duration: Duration);

    /// Messages were received, of so many encoded bytes without framing.
    fn received(&self, messages: u64, bytes: u64);

    /// Messages were sent. Their bytes are told as they are [encoded](EncodeObserver::encoded).
    fn sent(&self, messages: u64);
}

/// Observes what a channel chooses for the calls of one method. Transports are named by their places in the channel.
pub trait ChoiceObserver: Send + Sync {
    /// A call is made, for which this transport was chosen at first.
    fn chosen(&self, place: usize);

    /// An attempt has ended; the first of a call has the number 1.
    fn ended(&self, place: usize, number: u32, code: Code);

    /// The policy asks for this share of the service's calls over the transport; `None` where measurements decide.
    fn share(&self, place: usize, share: Option<f64>);
}

/// Observes one circuit: whether a transport to one peer works.
pub trait CircuitObserver: Send {
    /// The circuit is in this state now; it begins as [`Untried`](CircuitState::Untried).
    fn changed(&mut self, state: CircuitState);
}

/// Whether a transport to one peer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// No call was made over it yet.
    Untried,
    /// It works.
    Closed,
    /// It does not answer, and is probed.
    Suspected,
    /// It does not work: calls take another.
    Open,
    /// It is being tried again.
    HalfOpen,
}

/// Told of every connection that opens and closes, on any transport.
pub trait ConnectionGauge: Send + Sync {
    /// A connection was accepted, or made.
    fn opened(&self);
    /// A connection ended, at either end. Follows exactly one [`opened`](Self::opened).
    fn closed(&self);
}

/// Measurements that are read when they are asked for.
pub trait Collect: Send + Sync + 'static {
    /// All of them, as they are now. Those of one name have the same kind, the same help and the same labels.
    fn samples(&self) -> Vec<Sample>;
}

impl<F: Fn() -> Vec<Sample> + Send + Sync + 'static> Collect for F {
    fn samples(&self) -> Vec<Sample> {
        self()
    }
}

/// One value of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name, in Prometheus' form: lower-case letters, digits and `_`, with the unit at the end.
    pub name: String,
    /// What it tells, in one line.
    pub help: String,
    /// How it may change.
    pub kind: SampleKind,
    /// What tells it from others of the same name.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// How a measurement may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}
