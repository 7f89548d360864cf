//! The connections that a peer makes are counted for as long as they are there.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

use super::{
    carrier::{End, lose, pair},
    peers::{Answering, context, echo, note},
};
use crate::{
    Caller, Channel, Codec, Drain, Limits, Service, Status,
    transport::{
        ConnectionGauge, Inbound,
        framed::{Dial, Peer, serve_connection},
    },
};

/// Dials somebody who echoes, and tells of the other end.
struct Way {
    open: Arc<AtomicUsize>,
    far_ends: mpsc::UnboundedSender<Arc<End>>,
}

impl Dial for Way {
    type Connection = End;

    fn transport(&self) -> &'static str {
        "memory"
    }

    fn gauge(&self) -> Option<Arc<dyn ConnectionGauge>> {
        Some(self.open.clone())
    }

    async fn connect(&self) -> Result<End, Status> {
        let (near, far) = pair();
        let far = Arc::new(far);
        self.far_ends.send(far.clone()).map_err(|_| Status::unavailable("the test is over"))?;
        let inbound = Inbound::new(Channel::new(Answering(echo)));
        let caller = Arc::new(Caller::new("memory"));
        tokio::spawn(async move {
            serve_connection(&*far, caller, inbound, Drain::new(), std::time::Duration::default).await;
        });
        Ok(near)
    }
}

/// Returns once so many connections are counted.
async fn counted(open: &AtomicUsize, expected: usize) {
    for _ in 0..100 {
        if open.load(Ordering::Relaxed) == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(open.load(Ordering::Relaxed), expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_counts_from_its_dial_to_its_end_whoever_ends_it() {
    let open = Arc::new(AtomicUsize::new(0));
    let (far_ends, mut dialled) = mpsc::unbounded_channel();
    let way = Way { open: open.clone(), far_ends };
    let peer = Peer::new(way, Codec::MessagePack, Limits::default());
    assert_eq!(open.load(Ordering::Relaxed), 0, "nothing is dialled yet");
    for _ in 0..2 {
        peer.unary(context(), note("one")).await.unwrap();
        assert_eq!(open.load(Ordering::Relaxed), 1);
    }
    lose(&dialled.recv().await.unwrap(), &Status::unavailable("gone"));
    // Nobody has to call for that.
    counted(&open, 0).await;
    peer.unary(context(), note("one")).await.unwrap();
    assert_eq!(open.load(Ordering::Relaxed), 1, "another one");
    drop(peer);
    counted(&open, 0).await;
    let far = dialled.recv().await.unwrap();
    let refused = crate::transport::framed::Connection::open(&*far, "one".into(), true).await;
    assert!(refused.is_err(), "what counts it does not keep it open");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_given_up_for_a_new_one_is_held_by_nobody() {
    let open = Arc::new(AtomicUsize::new(0));
    let (far_ends, mut dialled) = mpsc::unbounded_channel();
    let peer = Peer::new(Way { open: open.clone(), far_ends }, Codec::MessagePack, Limits::default());
    peer.unary(context(), note("one")).await.unwrap();
    peer.link().forget();
    counted(&open, 0).await;
    let far = dialled.recv().await.unwrap();
    let refused = crate::transport::framed::Connection::open(&*far, "one".into(), true).await;
    assert!(refused.is_err(), "what counts it does not keep it open");
    peer.unary(context(), note("one")).await.unwrap();
    assert_eq!(open.load(Ordering::Relaxed), 1, "another one");
}
