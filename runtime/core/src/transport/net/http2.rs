use std::{fmt::Display, io};

use hyper::server::conn::http2::Builder;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};

use super::finish::finish;
use super::opening::read_opening;
use super::protocol::{Protocol, Transport};
use super::rewind::Rewound;
use super::service::{HttpService, Informed};
use super::streams::{Ended, Streams};
use super::{ConnectionInfo, ListenerOptions};
#[cfg(all(feature = "grpc", feature = "unix"))]
use super::{socket_authority::SocketAuthority, stall::WriteStall};
use crate::Drain;

/// HTTP/2 with limits that are advertised and pings that find vanished clients.
///
/// What h2 bounds by itself stays at its defaults: streams that we reset because of the peer's errors
/// (1,024), CONTINUATION frames a header block (by the header limit), answers to PING and SETTINGS that wait
/// to be written.
#[derive(Clone)]
pub(crate) struct Http2<S> {
    options: ListenerOptions,
    service: S,
}

impl<S: HttpService> Http2<S> {
    pub(crate) fn new(options: &ListenerOptions, service: S) -> Self {
        Self { options: options.clone(), service }
    }

    /// Reads what the client says first on a connection of a Unix socket, and returns the future that serves it, as
    /// [`Protocol::serve`] does. `remote` names the client in the log.
    ///
    /// # Cancel safety
    /// Dropping either future closes the connection.
    #[cfg(all(feature = "grpc", feature = "unix"))]
    pub(crate) async fn accept<Io: Transport>(
        self,
        io: Io,
        remote: impl Display + Send + 'static,
        drain: Drain,
    ) -> io::Result<impl Future<Output = ()> + Send + 'static> {
        let io = SocketAuthority::new(WriteStall::new(io, self.options.write_stall_limit()));
        let io = Self::open(io).await?;
        let (streams, ended) = Streams::new();
        let builder = self.builder(streams);
        Ok(async move { drive(builder, ended, io, self.service, remote, &drain).await })
    }

    fn builder(&self, streams: Streams) -> Builder<Streams> {
        let options = &self.options;
        let mut builder = Builder::new(streams);
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(options.keep_alive_interval)
            .keep_alive_timeout(options.keep_alive_timeout)
            .max_concurrent_streams(options.max_concurrent_streams)
            .max_pending_accept_reset_streams(self.resets_before_accept())
            .initial_stream_window_size(options.stream_window)
            .initial_connection_window_size(options.connection_window)
            .max_header_list_size(options.max_header_bytes);
        builder
    }

    /// Streams that the client may have opened and reset before we looked at them; one more is a GOAWAY.
    ///
    /// h2's default of 20 fits an attack, but also an honest client whose calls time out together while we
    /// stall: all that it was allowed to open may come in one read with their resets behind them.
    fn resets_before_accept(&self) -> usize {
        self.options.max_concurrent_streams.max(20) as usize
    }
}

impl<S: HttpService> Protocol for Http2<S> {
    /// HTTP/2 is what gRPC is spoken over.
    const NAME: &'static str = "grpc";

    async fn open<Io: Transport>(mut io: Io) -> io::Result<impl Transport> {
        let opening = read_opening(&mut io).await?;
        Ok(Rewound::new(opening, io))
    }

    async fn serve<Io: Transport>(self, io: Io, info: ConnectionInfo, drain: &Drain) {
        let remote = info.remote;
        let (streams, ended) = Streams::new();
        drive(self.builder(streams), ended, io, Informed::new(self.service, info), remote, drain).await;
    }
}

/// Serves one opened connection, and waits for its streams.
async fn drive(
    builder: Builder<Streams>,
    ended: Ended,
    io: impl Transport,
    service: impl HttpService,
    remote: impl Display,
    drain: &Drain,
) {
    let connection = builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
    // It counts as a stream by itself, because it could start more.
    drop(builder);
    finish(connection, remote, drain).await;
    ended.wait().await;
}
