use std::{io, path::PathBuf, pin::pin};

use polywire::{
    Codec, ConnectOptions, Status,
    grpc::{self, Grpc},
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport, framed::Listening},
    unix::{Config, Listener, Unix},
};
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// gRPC on a Unix socket. Our own client of gRPC dials TCP alone, so that a forwarder is in between.
#[derive(Clone, Copy, Debug)]
pub struct GrpcOverUnix;

/// A Unix socket, and what forwards to it.
#[derive(Debug)]
pub struct GrpcOverUnixBound {
    socket: Listening<Listener>,
    path: PathBuf,
    forwarder: TcpListener,
    target: String,
}

impl Transport for GrpcOverUnix {
    type Config = Config;
    type Address = grpc::Address;
    type Bound = GrpcOverUnixBound;

    fn name(&self) -> &'static str {
        Transport::name(&Unix)
    }

    fn schemes(&self) -> &'static [Scheme] {
        Grpc.schemes()
    }

    fn codec(&self) -> Codec {
        Grpc.codec()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<grpc::Address, String> {
        Grpc.parse(scheme, rest)
    }

    async fn connect(&self, address: grpc::Address, options: ConnectOptions) -> Result<Connected, Status> {
        Grpc.connect(address, options).await
    }

    async fn bind(&self, config: Config, node: BindContext) -> Result<GrpcOverUnixBound, BindError> {
        let path = config.path.clone();
        let socket = Unix.bind(config, node).await?;
        let refused = |error| BindError::listen("forwarder", "127.0.0.1:0", error);
        let forwarder = TcpListener::bind("127.0.0.1:0").await.map_err(refused)?;
        let target = format!("grpc://{}", forwarder.local_addr().map_err(refused)?);
        Ok(GrpcOverUnixBound { socket, path, forwarder, target })
    }
}

impl Bound for GrpcOverUnixBound {
    fn target(&self) -> String {
        self.target.clone()
    }

    async fn serve(self, serving: Serving) {
        let Self { socket, path, forwarder, .. } = self;
        let mut connections = JoinSet::new();
        let mut serving = pin!(socket.serve(serving));
        loop {
            tokio::select! {
                () = &mut serving => break,
                accepted = forwarder.accept() => if let Ok((tcp, _)) = accepted {
                    connections.spawn(forward(tcp, path.clone()));
                },
                // An error ends one connection, which both its ends see.
                Some(_) = connections.join_next() => {}
            }
        }
        // What the server has said is still on its way.
        while connections.join_next().await.is_some() {}
    }
}

async fn forward(mut tcp: TcpStream, path: PathBuf) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut unix = UnixStream::connect(path).await?;
    tokio::io::copy_bidirectional(&mut tcp, &mut unix).await?;
    Ok(())
}
