//! The link that can be made bad is as bad as it was asked to be, and nothing of it stays.

mod chances;
mod cuts;
mod joins;
mod life;
mod names;
mod node;
mod time;

use polywire_tests::{
    lab::{Counters, Direction, Lab, Namespace},
    patience::{eventually, within},
};
use tokio::net::UdpSocket;

/// A socket on this side, on any free port.
fn socket(side: &Namespace) -> UdpSocket {
    let socket = side.run(|| std::net::UdpSocket::bind((side.address(), 0))).unwrap();
    socket.set_nonblocking(true).unwrap();
    UdpSocket::from_std(socket).unwrap()
}

/// A socket on each side, each connected to the other.
async fn sockets(lab: &Lab) -> [UdpSocket; 2] {
    let sockets = [socket(lab.near()), socket(lab.far())];
    let [near, far] = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    sockets[0].connect(far).await.unwrap();
    sockets[1].connect(near).await.unwrap();
    sockets
}

/// Waits until the packets that near has sent are done with: so many, and those that were doubled.
async fn done(lab: &Lab, sent: usize) -> Counters {
    eventually("nothing is under way", async || {
        let counters = lab.counters(Direction::ToFar);
        let through = counters.forwarded + counters.dropped.total();
        (through == sent as u64 + counters.duplicated).then_some(counters)
    })
    .await
}

/// Sends so many numbered datagrams to far. Returns their numbers as they arrived there, and what the link has counted.
async fn cross(lab: &Lab, count: u16) -> (Vec<u16>, Counters) {
    let [near, far] = sockets(lab).await;
    let mut arrived = Vec::new();
    let mut counters = Counters::default();
    for number in 0..count {
        near.send(&number.to_be_bytes()).await.unwrap();
        // No more than the receiving socket holds.
        if number % 50 == 49 {
            counters = done(lab, usize::from(number) + 1).await;
            receive(&far, counters, &mut arrived).await;
        }
    }
    assert_eq!(far.try_recv(&mut [0; 2]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    (arrived, counters)
}

/// Receives as many as have been forwarded.
async fn receive(far: &UdpSocket, counters: Counters, arrived: &mut Vec<u16>) {
    while (arrived.len() as u64) < counters.forwarded {
        let mut number = [0; 2];
        within(far.recv(&mut number)).await.unwrap();
        arrived.push(u16::from_be_bytes(number));
    }
}
