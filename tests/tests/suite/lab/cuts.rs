//! What does not get through, and gets through again.

use std::net::Ipv4Addr;

use polywire_tests::{
    lab::{Conditions, Direction, Dropped, Lab},
    patience::{eventually, within},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinHandle,
};

use super::sockets;

/// What serves and dials TCP across the link.
struct Streams<'a> {
    lab: &'a Lab,
    listener: TcpListener,
}

impl<'a> Streams<'a> {
    fn new(lab: &'a Lab) -> Self {
        let address = (lab.far().address(), 0);
        let listener = lab.far().run(|| std::net::TcpListener::bind(address)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { lab, listener: TcpListener::from_std(listener).unwrap() }
    }

    fn dial(&self) -> JoinHandle<TcpStream> {
        let address = self.listener.local_addr().unwrap();
        self.lab.near().spawn(async move { TcpStream::connect(address).await.unwrap() })
    }

    /// Says something to the other side, over a dialled connection.
    async fn pass(&self, dialled: JoinHandle<TcpStream>) {
        let (mut far, from) = within(self.listener.accept()).await.unwrap();
        assert_eq!(from.ip(), Ipv4Addr::new(10, 77, 1, 1));
        let mut near = within(dialled).await.unwrap();
        near.write_all(b"word").await.unwrap();
        let mut word = [0; 4];
        within(far.read_exact(&mut word)).await.unwrap();
        assert_eq!(&word, b"word");
    }
}

/// Says something to the other side in a datagram.
async fn datagram_passes([near, far]: &[UdpSocket; 2]) {
    near.send(b"word").await.unwrap();
    let mut word = [0; 4];
    within(far.recv(&mut word)).await.unwrap();
    assert_eq!(&word, b"word");
}

async fn dropped(lab: &Lab, of: fn(Dropped) -> u64) {
    let count = async || (of(lab.counters(Direction::ToFar).dropped) > 0).then_some(());
    eventually("a packet is dropped", count).await;
}

#[tokio::test]
async fn udp_is_dropped_while_tcp_passes() {
    let Some(lab) = Lab::or_skip().await else { return };
    let (streams, datagrams) = (Streams::new(&lab), sockets(&lab).await);
    datagram_passes(&datagrams).await;
    lab.set(Conditions { udp_dropped: true, ..Conditions::default() });

    datagrams[0].send(b"lost").await.unwrap();
    dropped(&lab, |dropped| dropped.udp).await;
    streams.pass(streams.dial()).await;

    lab.set(Conditions::default());
    // The next one is the first to arrive.
    datagram_passes(&datagrams).await;
    assert_eq!(lab.counters(Direction::ToFar).dropped, Dropped { udp: 1, ..Dropped::default() });
}

#[tokio::test]
async fn tcp_is_dropped_while_udp_passes() {
    let Some(lab) = Lab::or_skip().await else { return };
    let (streams, datagrams) = (Streams::new(&lab), sockets(&lab).await);
    streams.pass(streams.dial()).await;
    let before = lab.counters(Direction::ToFar);
    lab.set(Conditions { tcp_dropped: true, ..Conditions::default() });

    let dialled = streams.dial();
    dropped(&lab, |dropped| dropped.tcp).await;
    datagram_passes(&datagrams).await;
    assert!(!dialled.is_finished());
    assert!(lab.counters(Direction::ToFar).forwarded > before.forwarded);

    // TCP tries again.
    lab.set(Conditions::default());
    streams.pass(dialled).await;
}

#[tokio::test]
async fn a_link_that_was_down_is_up_again() {
    let Some(lab) = Lab::or_skip().await else { return };
    let (streams, datagrams) = (Streams::new(&lab), sockets(&lab).await);
    lab.set(Conditions { down: true, ..Conditions::default() });

    datagrams[0].send(b"lost").await.unwrap();
    dropped(&lab, |dropped| dropped.down).await;
    let dialled = streams.dial();
    let both = async || (lab.counters(Direction::ToFar).dropped.down > 1).then_some(());
    eventually("the dial is dropped", both).await;
    assert!(!dialled.is_finished());
    assert_eq!(lab.counters(Direction::ToFar).forwarded, 0);

    lab.set(Conditions::default());
    streams.pass(dialled).await;
    datagram_passes(&datagrams).await;
}

#[tokio::test]
async fn one_direction_can_be_down_alone() {
    let Some(lab) = Lab::or_skip().await else { return };
    let datagrams = sockets(&lab).await;
    lab.set_one_way(Direction::ToNear, Conditions { down: true, ..Conditions::default() });
    datagrams[1].send(b"lost").await.unwrap();
    datagram_passes(&datagrams).await;
    let back = async || (lab.counters(Direction::ToNear).dropped.down == 1).then_some(());
    eventually("the datagram back is dropped", back).await;
    assert_eq!(lab.counters(Direction::ToFar).dropped, Dropped::default());
}
