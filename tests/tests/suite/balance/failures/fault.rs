//! What breaks, and when.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use fastrand::Rng;
use polywire::{Channel, ConnectOptions};
use polywire_tests::ledger::{Fate, LedgerClient, Order};

use super::{
    caller::{self, By},
    proxy::Toward,
    rig::{Hits, Rig},
};

/// What breaks while orders are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The connections, before anything was sent.
    BeforeTheRequest,
    /// The connections, and no other can be made.
    NoConnection,
    /// The connections, amid the requests.
    AmidTheRequest,
    /// The connections, while handlers work.
    BeforeTheAnswer,
    /// The connections, amid the answers.
    AmidTheAnswer,
    /// The servers shut down in order: GOAWAY, and streams that are refused.
    Drained,
    /// The servers shut down at once.
    ShutDown,
    /// More calls come at once than a connection may have: streams are refused.
    TooManyStreams,
    /// The caller's own endpoint is closed.
    OwnEndpoint,
    /// Handlers fail or panic.
    Handlers,
    /// Handlers never answer.
    Deadline,
}

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    Fault::BeforeTheRequest,
    Fault::NoConnection,
    Fault::AmidTheRequest,
    Fault::BeforeTheAnswer,
    Fault::AmidTheAnswer,
    Fault::Drained,
    Fault::ShutDown,
    Fault::TooManyStreams,
    Fault::OwnEndpoint,
    Fault::Handlers,
    Fault::Deadline,
];

/// How long a call may take; where its handler never answers, less.
const TIMEOUT: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(300);

/// What orders and answers weigh that are to be cut in two.
const BALLAST: usize = 60_000;

impl Fault {
    /// A client that the fault can happen to.
    pub(super) async fn client(self, options: &ConnectOptions, targets: [String; 2]) -> LedgerClient {
        match self {
            // Whose connection is new, and has not been told how many calls it may have.
            Self::TooManyStreams => {
                let [_, grpc] = targets;
                let builder = Channel::builder().options(options.clone()).target(grpc);
                LedgerClient::new(builder.connect().await.unwrap())
            }
            _ => caller::connect(options, targets).await,
        }
    }

    /// The next order, and how it is made.
    pub(super) fn order(self, name: u64, chance: &mut Rng) -> (By, Order, Duration) {
        let by = match chance.u8(..4) {
            0 => By::EnterAll,
            1 => By::Follow,
            _ => By::Enter,
        };
        let mut order = Order { name, ..Order::default() };
        match self {
            Self::AmidTheRequest => order.ballast = vec![0; chance.usize(..BALLAST)],
            Self::BeforeTheAnswer if chance.u8(..4) == 0 => order.set_fate(Fate::Lingers),
            Self::AmidTheAnswer => {
                order.answer = chance.u32(..BALLAST as u32);
                if chance.u8(..4) == 0 {
                    order.set_fate(Fate::Lingers);
                }
            }
            Self::Drained | Self::ShutDown | Self::OwnEndpoint if chance.bool() => {
                order.set_fate(Fate::Lingers);
            }
            Self::Handlers => order.set_fate(if chance.bool() { Fate::Fails } else { Fate::Panics }),
            Self::Deadline if chance.bool() => order.set_fate(Fate::Dawdles),
            _ => {}
        }
        (by, order, if self == Self::Deadline { SHORT } else { TIMEOUT })
    }

    /// Prepares what happens on the way of the calls that are made next.
    pub(super) fn arm(self, rig: &Arc<Rig>, hits: Hits, chance: &mut Rng) {
        let within = Arc::downgrade(rig);
        match self {
            Self::AmidTheRequest => rig.cut_after(chance.u32(..TOGETHER_BYTES), Toward::ToServer),
            Self::AmidTheAnswer => rig.cut_after(chance.u32(..TOGETHER_BYTES), Toward::ToClient),
            _ => {}
        }
        match self {
            Self::BeforeTheAnswer => rig.on_lingering(move || {
                if let Some(rig) = within.upgrade() {
                    rig.cut(hits, 0);
                }
            }),
            Self::AmidTheAnswer => {
                let pause = Duration::from_micros(chance.u64(1_000..4_000));
                rig.on_lingering(move || drop(tokio::spawn(cut_iroh_after(pause, within.clone()))));
            }
            _ => rig.on_lingering(|| ()),
        }
    }

    /// Breaks it, while the calls are being made.
    pub(super) async fn strike(self, rig: &Arc<Rig>, hits: Hits, own: &iroh::Endpoint, chance: &mut Rng) {
        match self {
            Self::BeforeTheRequest => rig.cut(hits, 0),
            Self::NoConnection => {
                rig.refuse(hits);
                rig.cut(hits, 0);
            }
            Self::AmidTheRequest => {
                soon(chance).await;
                rig.cut(IROH, 0);
            }
            Self::Drained | Self::ShutDown => {
                soon(chance).await;
                rig.replace(self == Self::ShutDown).await;
            }
            Self::OwnEndpoint => {
                soon(chance).await;
                own.close().await;
            }
            Self::BeforeTheAnswer
            | Self::AmidTheAnswer
            | Self::TooManyStreams
            | Self::Handlers
            | Self::Deadline => {}
        }
    }
}

impl Hits {
    /// One transport, or as often both.
    pub(super) fn any(chance: &mut Rng) -> Self {
        match chance.u8(..4) {
            0 => Self { grpc: true, iroh: false },
            1 => IROH,
            _ => Self { grpc: true, iroh: true },
        }
    }
}

const IROH: Hits = Hits { grpc: false, iroh: true };

async fn cut_iroh_after(pause: Duration, rig: Weak<Rig>) {
    tokio::time::sleep(pause).await;
    if let Some(rig) = rig.upgrade() {
        rig.cut(IROH, 0);
    }
}

/// What the orders of a round weigh together, or their answers.
const TOGETHER_BYTES: u32 = 4 * BALLAST as u32;

/// At any time while calls are being made.
async fn soon(chance: &mut Rng) {
    tokio::time::sleep(Duration::from_micros(chance.u64(..3_000))).await;
}
