//! A link that can be made bad: two network namespaces, joined by what forwards packets between two TUN devices and
//! does to them what it is told. `tc netem` can do the same where the kernel has it; this needs root and
//! `/dev/net/tun` alone.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use polywire_tests::lab::{Conditions, Lab, Unavailable};
//! # async fn example() -> Result<(), Unavailable> {
//! let lab = Lab::new().await?;
//! lab.set(Conditions { delay: Duration::from_millis(50), loss: 2.0, ..Conditions::default() });
//! let mut ping = lab.near().command("ping");
//! ping.arg("-c1").arg(lab.far().address().to_string());
//! # Ok(())
//! # }
//! ```

mod conditions;
mod counters;
mod dice;
mod forwarder;
mod inside;
mod ip;
mod namespace;
mod packet;
mod packet_queue;
mod unavailable;

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use conditions::Conditions;
pub use counters::{Counters, Dropped};
pub use namespace::Namespace;
pub use unavailable::Unavailable;

use self::{forwarder::Forwarder, packet_queue::PacketQueue};
use crate::skip::skipped;

/// Two namespaces and the link between them, good until [`set`](Self::set) makes it bad. Each has loopback and one
/// device, and no way out. Dropped, the namespaces, all processes in them and the devices are gone.
#[derive(Debug)]
pub struct Lab {
    queues: [Arc<Mutex<PacketQueue>>; 2],
    // The order of the fields: the devices go before the namespaces that they are in.
    _forwarder: Forwarder,
    sides: [Namespace; 2],
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From near to far.
    ToFar,
    /// From far to near.
    ToNear,
}

/// What all labs have: they do not see each other.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 77, 1, 1), Ipv4Addr::new(10, 77, 1, 2)];

impl Lab {
    /// A lab whose chances fall the same way each time.
    ///
    /// # Errors
    /// When it cannot be had here, with the reason.
    ///
    /// # Panics
    /// When a part of it can be had and the rest cannot, which is no reason to skip a test.
    ///
    /// # Cancel safety
    /// Nothing is left behind when the future is dropped.
    pub async fn new() -> Result<Self, Unavailable> {
        Self::with_seed(0).await
    }

    /// A lab whose chances fall as this seed has it: by it and by the conditions alone, of the packets that one
    /// direction sees, the same ones are lost, doubled and held back.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Cancel safety
    /// As [`new`](Self::new).
    pub async fn with_seed(seed: u64) -> Result<Self, Unavailable> {
        let built = tokio::task::spawn_blocking(move || Self::build(seed)).await;
        built.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }

    /// A lab; `None` where it cannot be had, which is [said](skipped).
    ///
    /// # Panics
    /// As [`new`](Self::new) and [`skipped`].
    ///
    /// # Cancel safety
    /// As [`new`](Self::new).
    pub async fn or_skip() -> Option<Self> {
        Self::new().await.inspect_err(|why| skipped(format_args!("no link can be made bad here: {why}"))).ok()
    }

    fn build(seed: u64) -> Result<Self, Unavailable> {
        permitted()?;
        namespace::sweep();
        // Devices begin in the namespace of this process, where labs of other processes have theirs too.
        let token = RandomState::new().hash_one(std::process::id()) as u32;
        let near = Namespace::create(token, "near", ADDRESSES[0])?;
        let sides = [near, Namespace::create(token, "far", ADDRESSES[1])?];
        let queues = [seed, !seed].map(|seed| Arc::new(Mutex::new(PacketQueue::new(seed))));
        Ok(Self { _forwarder: Forwarder::join(&sides, queues.clone())?, queues, sides })
    }

    /// The side that clients are on, by convention.
    pub fn near(&self) -> &Namespace {
        &self.sides[0]
    }

    /// The side that servers are on, by convention.
    pub fn far(&self) -> &Namespace {
        &self.sides[1]
    }

    /// Makes the link like this, both ways, from the next packet on. Those under way arrive as they would have.
    ///
    /// # Panics
    /// When a chance is none, or the rate is 0.
    pub fn set(&self, conditions: Conditions) {
        self.set_one_way(Direction::ToFar, conditions);
        self.set_one_way(Direction::ToNear, conditions);
    }

    /// Makes one direction of the link like this, from the next packet on.
    ///
    /// # Panics
    /// As [`set`](Self::set).
    pub fn set_one_way(&self, direction: Direction, conditions: Conditions) {
        conditions.check();
        self.queue(direction).set(conditions);
    }

    /// What has happened to the packets of one direction so far.
    pub fn counters(&self, direction: Direction) -> Counters {
        self.queue(direction).counters()
    }

    fn queue(&self, direction: Direction) -> MutexGuard<'_, PacketQueue> {
        let queue = match direction {
            Direction::ToFar => &self.queues[0],
            Direction::ToNear => &self.queues[1],
        };
        locked(queue)
    }
}

/// What no command would say as clearly.
fn permitted() -> Result<(), Unavailable> {
    if !rustix::process::geteuid().is_root() {
        return Err(Unavailable::new("only root can make network namespaces"));
    }
    if !Path::new("/dev/net/tun").exists() {
        return Err(Unavailable::new("there is no /dev/net/tun"));
    }
    Ok(())
}

/// What a panic left is as good as what was there before it: each change is one assignment.
fn locked(queue: &Mutex<PacketQueue>) -> MutexGuard<'_, PacketQueue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
