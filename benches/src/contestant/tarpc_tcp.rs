//! tarpc over TCP, in bincode.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tarpc::{
    client, context,
    serde_transport::{self, Transport},
    server::{BaseChannel, Channel as _},
    tokio_serde::formats::Bincode,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::LengthDelimitedCodec;

use super::{Caller, Result, Stack};
use crate::pattern::{Check, Script};

/// A server on any free port.
#[derive(Clone)]
pub(super) struct TarpcTcp {
    server: SocketAddr,
}

impl TarpcTcp {
    /// Starts the server, with tarpc's own settings at both ends, but without Nagle's algorithm, as all
    /// others are.
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        tokio::spawn(serve(listener));
        Ok(Self { server })
    }
}

/// The macro makes a client and a server of it.
#[tarpc::service]
trait Echo {
    async fn echo(payload: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Wall;

impl Echo for Wall {
    async fn echo(self, _: context::Context, payload: Bytes) -> Bytes {
        payload
    }
}

impl Stack for TarpcTcp {
    type Caller = Calls;

    async fn connect(&self) -> Result<Calls> {
        let transport = transport(TcpStream::connect(self.server).await?)?;
        Ok(Calls(EchoClient::new(client::Config::default(), transport).spawn()))
    }
}

#[derive(Clone)]
pub(super) struct Calls(EchoClient);

impl Caller for Calls {
    const CANNOT_STREAM: Option<&'static str> = Some("tarpc has no streams");

    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        Ok(self.0.echo(context::current(), payload).await?)
    }

    async fn subscribe(&mut self, _: Script, _: &mut Check) -> Result<()> {
        Err(Self::CANNOT_STREAM.unwrap_or_default().into())
    }
}

async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let calls = BaseChannel::with_defaults(transport(stream)?).execute(Wall.serve());
        tokio::spawn(calls.for_each(async |call| {
            tokio::spawn(call);
        }));
    }
}

type Bincoded<In, Out> = Transport<TcpStream, In, Out, Bincode<In, Out>>;

fn transport<In, Out>(stream: TcpStream) -> Result<Bincoded<In, Out>>
where
    In: for<'de> serde::Deserialize<'de>,
    Out: serde::Serialize,
{
    stream.set_nodelay(true)?;
    Ok(serde_transport::new(LengthDelimitedCodec::builder().new_framed(stream), Bincode::default()))
}
