//! What stands between a client and a server of TCP, and breaks connections.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

use super::frames::{Frames, Seen};

/// Passes bytes on until it is told otherwise. Dropped, everything is broken.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    state: Arc<ProxyState>,
    accepting: JoinHandle<()>,
}

struct ProxyState {
    server: Mutex<SocketAddr>,
    /// How often all connections were broken.
    cuts: watch::Sender<u64>,
    /// Whether new connections are broken at once.
    refuses: AtomicBool,
    /// How many bytes are passed on until all connections are broken, to the server and from it.
    allowances: [AtomicI64; 2],
    broken: AtomicU64,
    refused: AtomicU64,
    went_away: AtomicU64,
}

/// Which way bytes go.
#[derive(Clone, Copy)]
pub(super) enum Toward {
    ToServer = 0,
    ToClient = 1,
}

/// More than is ever sent.
const UNLIMITED: i64 = i64::MAX / 2;

impl Proxy {
    pub(super) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(ProxyState {
            server: Mutex::new(server),
            cuts: watch::Sender::new(0),
            refuses: AtomicBool::new(false),
            allowances: [AtomicI64::new(UNLIMITED), AtomicI64::new(UNLIMITED)],
            broken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            went_away: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, state.clone()));
        Self { address, state, accepting }
    }

    /// Connections that are made from now on lead there.
    pub(super) fn lead_to(&self, server: SocketAddr) {
        *self.state.server.lock().unwrap() = server;
    }

    /// Breaks all connections.
    pub(super) fn cut(&self) {
        self.state.cut();
    }

    /// Breaks all connections once so many bytes more have gone this way.
    pub(super) fn cut_after(&self, bytes: u32, toward: Toward) {
        self.state.allowances[toward as usize].store(bytes.into(), Ordering::SeqCst);
    }

    /// Breaks new connections at once, or does so no more; and waits for nothing that was to come.
    pub(super) fn refuse(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::SeqCst);
        for allowance in &self.state.allowances {
            allowance.store(UNLIMITED, Ordering::SeqCst);
        }
    }

    /// How many connections were broken.
    pub(super) fn broken(&self) -> u64 {
        self.state.broken.load(Ordering::SeqCst)
    }

    /// How many streams the servers refused, and of how many connections they said that they go away.
    pub(super) fn refused_and_left(&self) -> [u64; 2] {
        [&self.state.refused, &self.state.went_away].map(|count| count.load(Ordering::SeqCst))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl ProxyState {
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    fn see(&self, seen: Seen) {
        let count = match seen {
            Seen::Refused => &self.refused,
            Seen::GoAway => &self.went_away,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, state: Arc<ProxyState>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.refuses.load(Ordering::SeqCst) {
            state.broken.fetch_add(1, Ordering::SeqCst);
            reset(client);
            continue;
        }
        tokio::spawn(pass_on(client, state.clone()));
    }
}

async fn pass_on(client: TcpStream, state: Arc<ProxyState>) {
    let mut cuts = state.cuts.subscribe();
    let server = *state.server.lock().unwrap();
    let Ok(server) = TcpStream::connect(server).await else { return reset(client) };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let broken = tokio::select! {
        // The peers end connections themselves too.
        ended = pump(from_client, to_server, Toward::ToServer, &state) => ended,
        ended = pump(from_server, to_client, Toward::ToClient, &state) => ended,
        _ = cuts.changed() => Ok(true),
    };
    state.broken.fetch_add(u64::from(broken.unwrap_or(false)), Ordering::SeqCst);
}

/// Passes on what comes; true where the allowance is used up.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    toward: Toward,
    state: &ProxyState,
) -> io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    let mut frames = Frames::default();
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            to.shutdown().await?;
            return Ok(false);
        }
        let left = state.allowances[toward as usize].fetch_sub(read as i64, Ordering::SeqCst);
        let allowed = usize::try_from(left).unwrap_or(0).min(read);
        if let Toward::ToClient = toward {
            frames.pass(&buffer[..allowed], |seen| state.see(seen));
        }
        to.write_all(&buffer[..allowed]).await?;
        if allowed < read {
            state.cut();
            return Ok(true);
        }
    }
}

/// Ends a connection as a machine does that knows nothing of it.
fn reset(stream: TcpStream) {
    // Without lingering, the kernel sends a reset; where it cannot be set, the connection merely ends.
    let _ = stream.set_zero_linger();
}
