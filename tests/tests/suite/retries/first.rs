//! A server over gRPC whose first connection ends before it has answered anything; later ones are passed on.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use polywire::{Drain, grpc, net::Listener};
use polywire_tests::inventory::Stock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How the first connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// GOAWAY that says that no stream was looked at.
    LeftOut,
    /// GOAWAY for what follows, and RST_STREAM with REFUSED_STREAM.
    Refused,
    /// Without a word.
    Broken,
}

/// The server.
pub(super) struct First {
    pub(super) target: String,
    connections: Arc<AtomicUsize>,
    ended: watch::Receiver<bool>,
}

/// RFC 9113, sections 3.4, 4.1, 6.5, 6.8 and 6.9.
const PREFACE: usize = 24;
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const SETTINGS: u8 = 0x4;
const ACK: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];

/// SETTINGS with windows of 1 MiB for streams, and as much for the connection.
const GREETING: [u8; 28] =
    [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 16, 0, 0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 16, 0, 0];

impl First {
    /// One of this stock, whose first connection ends so once that many bytes of requests have come.
    pub(super) async fn serve(stock: Stock, ending: Ending, bytes: usize) -> Self {
        let real = Listener::bind("127.0.0.1:0").await.unwrap();
        let behind = real.local_addr().unwrap();
        let adapter = grpc::Adapter::new(stock.server());
        tokio::spawn(real.serve_http2(polywire::net::ListenerOptions::default(), adapter, Drain::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("grpc://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (end, ended) = watch::channel(false);
        tokio::spawn(accept(listener, behind, connections.clone(), move |stream| {
            end_one(stream, ending, bytes, end)
        }));
        Self { target, connections, ended }
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Completes once the first connection has ended.
    pub(super) fn ended_later(&self) -> impl Future<Output = ()> + use<> {
        let mut ended = self.ended.clone();
        // An error says that it broke before that, which the call will tell.
        async move { drop(ended.wait_for(|ended| *ended).await) }
    }
}

async fn accept<F>(
    listener: TcpListener,
    behind: SocketAddr,
    connections: Arc<AtomicUsize>,
    first: impl FnOnce(TcpStream) -> F,
) where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut first = Some(first);
    while let Ok((mut stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        match first.take() {
            Some(first) => drop(tokio::spawn(first(stream))),
            None => drop(tokio::spawn(async move {
                let mut server = TcpStream::connect(behind).await?;
                copy_bidirectional(&mut stream, &mut server).await
            })),
        }
    }
}

async fn end_one(
    mut stream: TcpStream,
    ending: Ending,
    bytes: usize,
    ended: watch::Sender<bool>,
) -> io::Result<()> {
    stream.read_exact(&mut [0; PREFACE]).await?;
    stream.write_all(&GREETING).await?;
    let id = requested(&mut stream, bytes).await?;
    let [a, b, c, d] = id;
    match ending {
        Ending::LeftOut => stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await?,
        Ending::Refused => {
            let reset = [0, 0, 4, 3, 0, a, b, c, d, 0, 0, 0, 7];
            let gone = [0, 0, 8, 7, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0];
            // In this order, so that the connection takes no call any more when the first learns of its fate.
            stream.write_all(&[&gone[..], &reset].concat()).await?;
        }
        Ending::Broken => {}
    }
    ended.send_replace(true);
    if ending != Ending::Broken {
        // Until the client has gone, for a reset of the connection could overtake what was said.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(())
}

/// The last stream that was opened, once so many bytes of requests have come.
async fn requested(stream: &mut TcpStream, bytes: usize) -> io::Result<[u8; 4]> {
    let (mut id, mut come) = ([0; 4], 0);
    while id == [0; 4] || come < bytes {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).await?;
        match head[3] {
            DATA => come += length,
            HEADERS => id.copy_from_slice(&head[5..9]),
            SETTINGS if head[4] & 1 == 0 => stream.write_all(&ACK).await?,
            _ => {}
        }
    }
    Ok(id)
}
