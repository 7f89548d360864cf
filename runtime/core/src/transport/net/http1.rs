use std::io;

use hyper::server::conn::http1::Builder;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};

use super::finish::finish;
use super::protocol::{Protocol, Transport};
use super::service::{HttpService, Informed};
use super::{ConnectionInfo, ListenerOptions};
use crate::Drain;

/// The least that hyper takes for its read buffer.
const MIN_BUFFER: usize = 8 << 10;

/// HTTP/1.1 with keep-alive. A handler runs inside its connection's task and ends with it.
#[derive(Clone)]
pub(super) struct Http1<S> {
    builder: Builder,
    service: S,
}

impl<S: HttpService> Http1<S> {
    pub(super) fn new(options: &ListenerOptions, service: S) -> Self {
        let mut builder = Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(options.header_read_timeout)
            .max_buf_size(MIN_BUFFER.max(options.max_header_bytes as usize));
        Self { builder, service }
    }
}

impl<S: HttpService> Protocol for Http1<S> {
    const NAME: &'static str = "http";

    /// Nothing to read: a request's head is the first thing a client says, and hyper bounds its time.
    async fn open<Io: Transport>(io: Io) -> io::Result<impl Transport> {
        Ok(io)
    }

    async fn serve<Io: Transport>(self, io: Io, info: ConnectionInfo, drain: &Drain) {
        let remote = info.remote;
        let service = TowerToHyperService::new(Informed::new(self.service, info));
        let connection = self.builder.serve_connection(TokioIo::new(io), service);
        finish(connection, remote, drain).await;
    }
}
