use std::{
    fmt,
    future::pending,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::sleep_until,
};
use tokio_tun::Tun;

use super::{Namespace, Unavailable, locked, packet_queue::PacketQueue};

/// What carries packets between two devices, in a thread of its own: a test that keeps its runtime busy does not make
/// the link worse than it asked for. Dropped, the devices are gone.
#[derive(Debug)]
pub(super) struct Forwarder {
    /// Dropped, it stops.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The longest packet that IPv4 has.
const LONGEST: usize = 65_535;

impl Forwarder {
    /// Joins the sides: packets go from the first to the second by the first queue, and back by the second.
    ///
    /// # Errors
    /// When the system refuses a device, a thread, or what a runtime needs.
    pub(super) fn join(
        sides: &[Namespace; 2],
        queues: [Arc<Mutex<PacketQueue>>; 2],
    ) -> Result<Self, Unavailable> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let [near, far] = {
            let _guard = runtime.enter();
            [sides[0].attach()?, sides[1].attach()?]
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("link".into());
        let thread = thread.spawn(move || run(&runtime, &near, &far, &queues, stopped)).map_err(refused)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn refused(error: impl fmt::Display) -> Unavailable {
    Unavailable::because("packets cannot be forwarded", error)
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        // A panic there is one of the link, and the test must not pass.
        if matches!(ended, Some(Err(_))) && !thread::panicking() {
            panic!("the link broke down");
        }
    }
}

fn run(
    runtime: &Runtime,
    near: &Tun,
    far: &Tun,
    [there, back]: &[Arc<Mutex<PacketQueue>>; 2],
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        tokio::select! {
            // Nothing is sent: it ends with the sender.
            _ = stopped => {}
            ((), ()) = async { tokio::join!(forward(near, far, there), forward(far, near, back)) } => {}
        }
    });
}

/// Carries packets one way, until a device is gone.
async fn forward(from: &Tun, to: &Tun, queue: &Mutex<PacketQueue>) {
    let mut packet = vec![0; LONGEST];
    loop {
        let due = locked(queue).next_due();
        tokio::select! {
            received = from.recv(&mut packet) => match received {
                Ok(length) => locked(queue).take(&packet[..length], Instant::now()),
                Err(_) => return,
            },
            () = until(due) => {}
        }
        // A device takes a packet at once or not at all.
        locked(queue).deliver(Instant::now(), |packet| to.try_send(packet).is_ok());
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}
