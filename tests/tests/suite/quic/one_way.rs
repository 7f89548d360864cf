use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{net::UdpSocket, sync::watch, task::JoinHandle};

/// A way to a server that can be cut in the server's direction to speak: then it hears its callers' first
/// packets, and no handshake can end. Counts the packets of early data that pass.
pub(super) struct OneWay {
    pub(super) address: SocketAddr,
    pub(super) answers: watch::Sender<bool>,
    pub(super) pump: JoinHandle<()>,
    early: Arc<AtomicUsize>,
}

impl OneWay {
    pub(super) async fn to(server: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        back.connect(server).await.unwrap();
        let address = front.local_addr().unwrap();
        let (answers, open) = watch::channel(true);
        let early = Arc::new(AtomicUsize::new(0));
        let counter = early.clone();
        let pump = tokio::spawn(async move {
            let (mut caller, mut there, mut here) = (None, vec![0; 65_536], vec![0; 65_536]);
            let is_open = || *open.borrow();
            loop {
                tokio::select! {
                    Ok((length, from)) = front.recv_from(&mut there) => {
                        caller = Some(from);
                        counter.fetch_add(early_packets(&there[..length]), Ordering::SeqCst);
                        // A server that is not there now may be later.
                        let _ = back.send(&there[..length]).await;
                    }
                    received = back.recv(&mut here) => {
                        if let (Ok(length), Some(caller), true) = (received, caller, is_open()) {
                            front.send_to(&here[..length], caller).await.unwrap();
                        }
                    }
                }
            }
        });
        Self { address, answers, pump, early }
    }

    /// How many packets of early data callers have sent so far.
    pub(super) fn early(&self) -> usize {
        self.early.load(Ordering::SeqCst)
    }
}

impl Drop for OneWay {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// The types of packets with a [long header](https://www.rfc-editor.org/rfc/rfc9000#section-17.2).
const INITIAL: u8 = 0;
const ZERO_RTT: u8 = 1;

/// How many packets of early data are in the datagram. The type of a packet with a long header is not protected.
fn early_packets(datagram: &[u8]) -> usize {
    let mut rest = datagram;
    std::iter::from_fn(|| next_type(&mut rest)).filter(|kind| *kind == ZERO_RTT).count()
}

/// The type of the next packet, which is taken off; `None` behind the last that has a long header.
fn next_type(rest: &mut &[u8]) -> Option<u8> {
    let first = rest.split_off_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let kind = first >> 4 & 0b11;
    let _version = rest.split_off(..4)?;
    for _ in 0..2 {
        let connection_id = *rest.split_off_first()?;
        rest.split_off(..connection_id.into())?;
    }
    if kind == INITIAL {
        let token = length(rest)?;
        rest.split_off(..token)?;
    }
    let body = length(rest)?;
    rest.split_off(..body)?;
    Some(kind)
}

/// A [variable-length integer](https://www.rfc-editor.org/rfc/rfc9000#section-16).
fn length(rest: &mut &[u8]) -> Option<usize> {
    let first = *rest.split_off_first()?;
    let more = rest.split_off(..(1 << (first >> 6)) - 1)?;
    Some(more.iter().fold(usize::from(first & 0x3f), |value, byte| value << 8 | usize::from(*byte)))
}

#[test]
fn packets_of_early_data_are_counted_behind_an_initial_packet() {
    let initial = [&[0xc3, 0, 0, 0, 1, 2, 7, 7, 0, 1, 9, 0x40, 3][..], &[0xaa; 3]].concat();
    let early = [&[0xd1, 0, 0, 0, 1, 2, 7, 7, 0, 4][..], &[0xbb; 4]].concat();
    let short = [0x41, 1, 2, 3];
    assert_eq!(early_packets(&[&initial[..], &early, &early, &short].concat()), 2);
    assert_eq!(early_packets(&[&initial[..], &short].concat()), 0);
    assert_eq!(early_packets(&early[..early.len() - 1]), 0, "one that is cut off");
}
