//! A service that panics where it is told to.

use std::{any::Any, sync::Arc, time::Instant};

use iroh::{
    EndpointAddr, SecretKey,
    endpoint::{Controller, ControllerFactory, QuicTransportConfig},
};
use polywire::{Status, Streaming};

use crate::endpoint;

/// Where to panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Place {
    /// Nowhere.
    Nowhere = 0,
    /// In the handler.
    Handler = 1,
    /// In the stream of answers, behind the first.
    Answers = 2,
    /// In a task that the handler has spawned and does not wait for.
    Task = 3,
    /// In a task that the handler has spawned and waits for, on a thread for what blocks.
    Blocking = 4,
    /// In QUIC, below the node: where it tells a congestion controller of a packet, with its locks taken.
    Quic = 5,
}

/// What to do.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Fault {
    /// Where to panic, as a [`Place`].
    #[prost(enumeration = "Place", tag = "1")]
    pub place: i32,
}

/// Panics where it is told to.
#[polywire::service(package = "faults.v1")]
pub trait Faults {
    /// Panics there, or answers.
    async fn unary(&self, fault: Fault) -> Result<Fault, Status>;
    /// Panics there, or answers twice.
    async fn stream(&self, fault: Fault) -> Result<Streaming<Fault>, Status>;
}

/// What every panic of it says.
pub const AS_ASKED: &str = "as it was asked to";

/// Does so.
#[derive(Clone, Copy, Debug)]
pub struct Faulty;

impl Faults for Faulty {
    async fn unary(&self, fault: Fault) -> Result<Fault, Status> {
        match fault.place() {
            Place::Handler => panic!("{AS_ASKED}"),
            Place::Task => drop(tokio::spawn(async { panic!("{AS_ASKED}") })),
            Place::Blocking => {
                let computed = tokio::task::spawn_blocking(|| panic!("{AS_ASKED}")).await;
                computed.map_err(|_: tokio::task::JoinError| Status::internal("it panicked"))?;
            }
            Place::Quic => panic_in_quic().await,
            Place::Nowhere | Place::Answers => {}
        }
        Ok(fault)
    }

    async fn stream(&self, fault: Fault) -> Result<Streaming<Fault>, Status> {
        let place = fault.place();
        Ok(Streaming::from_iter((0..2).map(move |number| {
            assert!(number == 0 || place != Place::Answers, "{AS_ASKED}");
            fault.clone()
        })))
    }
}

/// Dials, over an endpoint with a controller that panics.
async fn panic_in_quic() {
    let config = QuicTransportConfig::builder().congestion_controller_factory(Arc::new(Touchy)).build();
    let endpoint = endpoint::builder().transport_config(config).bind().await.expect("a free port");
    let peer = SecretKey::from_bytes(&[1; 32]).public();
    // Whether anything is there does not matter: the first packet is the last.
    let address = EndpointAddr::new(peer).with_ip_addr(([127, 0, 0, 1], 9).into());
    let _ = endpoint.connect(address, b"polywire/1").await;
    std::future::pending::<()>().await;
}

/// Panics at the first packet.
#[derive(Clone, Debug)]
struct Touchy;

impl ControllerFactory for Touchy {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(Self)
    }
}

impl Controller for Touchy {
    fn on_packet_sent(&mut self, _: Instant, _: u16, _: u64) {
        panic!("{AS_ASKED}");
    }

    fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: bool, _: u64, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        self.initial_window()
    }

    fn initial_window(&self) -> u64 {
        12_000
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
