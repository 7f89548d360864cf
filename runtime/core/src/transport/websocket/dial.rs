use std::fmt;

use super::{
    Address, handshake,
    pipe::{Io, Pipe},
    tls,
};
use crate::{
    Code, ConnectOptions, Status,
    transport::{
        mux::{Mux, MuxConfig, MuxConnection},
        net::{self, FirstByte},
    },
};

pub(super) async fn dial(address: &Address, options: &ConnectOptions) -> Result<MuxConnection, Status> {
    let tcp = net::connect_to(address.host(), address.port(), options).await;
    let tcp = tcp.map_err(|error| unreachable(address, &error))?;
    // The multiplexer writes what is waited for; Nagle would hold it back for a round trip.
    tcp.set_nodelay(true).map_err(|error| unreachable(address, &error))?;
    let first = FirstByte::default();
    let shaken = speak(address, first.of(tcp), options).await;
    shaken.map_err(|status| explained(address, &first, status))
}

/// A failure to shake hands, with what it probably comes from.
fn explained(address: &Address, first: &FirstByte, status: Status) -> Status {
    let hint = first.mistake(address.is_tls(), address.otherwise());
    match hint.or_else(|| tls::distrusted(address, status.message()).map(str::to_owned)) {
        Some(hint) if status.code() == Code::Unavailable => {
            let message = format!("{} ({hint})", status.message());
            status.with_message(message)
        }
        _ => status,
    }
}

async fn speak(address: &Address, tcp: impl Io, options: &ConnectOptions) -> Result<MuxConnection, Status> {
    if address.is_tls() {
        shake(address, tls::connect(address, tcp, options).await?, options).await
    } else {
        shake(address, tcp, options).await
    }
}

async fn shake(address: &Address, io: impl Io, options: &ConnectOptions) -> Result<MuxConnection, Status> {
    let socket = handshake::shake(address, io).await?;
    let mux = MuxConfig { handshake_timeout: options.connect_timeout, ..MuxConfig::default() };
    Mux::client(Pipe::new(socket), mux).await.map_err(|error| unreachable(address, &error))
}

pub(super) fn unreachable(address: &Address, error: &dyn fmt::Display) -> Status {
    Status::unavailable(format!("{address}: {error}"))
}
