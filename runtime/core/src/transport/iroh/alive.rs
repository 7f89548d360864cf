//! Whether a peer still answers on a connection.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ::iroh::endpoint::{Connection, VarInt};

use super::{connection, profile::RECEIVE_WINDOW};
use crate::{transport::framed, wire::ConnectionCode};

/// How long a peer may take to answer at least, and at most; between them, three round trips. It is asked when there is
/// another sign of its life, so that one that answers later than this was most probably restarted.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(1));

/// How often the connection is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// How many questions were asked by this process.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// Closes those of these connections on which the peer does not answer, and returns the others.
pub(super) async fn close_the_dead(connections: Vec<Connection>) -> Vec<Connection> {
    let asked = connections.into_iter().map(|connection| async move {
        let answers = answers(&connection).await;
        if !answers && connection.close_reason().is_none() {
            let peer = connection.remote_id().fmt_short();
            tracing::info!(%peer, "a connection is closed on which the peer does not answer any more");
            framed::Connection::close(&connection, ConnectionCode::Closed, "no answer");
        }
        answers.then_some(connection)
    });
    futures_util::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Whether anything arrives on the connection soon. iroh has no call for a PING; one byte more of the window is what a
/// peer must acknowledge just as well ([RFC 9000, 13.2.1](https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1)).
async fn answers(connection: &Connection) -> bool {
    let before = connection.stats().udp_rx.datagrams;
    let question = ASKED.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    connection.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW.saturating_add(question)));
    let round_trip = connection.paths().iter().map(|path| path.rtt()).max().unwrap_or_default();
    let patience = (round_trip * 3).clamp(PATIENCE.0, PATIENCE.1);
    // Counted in looks: where this process gets no processor, the answer may lie there unread.
    for _ in 0..patience.as_millis() / LOOK.as_millis() {
        tokio::time::sleep(LOOK).await;
        if connection.stats().udp_rx.datagrams > before {
            return true;
        }
        if connection.close_reason().is_some() {
            return false;
        }
    }
    false
}

/// Whether what is sent to the peer goes over a path of this connection.
pub(super) fn is_taken(connection: &Connection) -> bool {
    connection::selected(connection).is_some()
}
