use std::{fmt, sync::Arc};

use http::{HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{Error, client::IntoClientRequest as _},
};

use super::{
    Address, SUBPROTOCOL,
    pipe::{self, Io, Pipe},
    trust,
};
use crate::{
    Code, ConnectOptions, Status,
    transport::{
        mux::{Mux, MuxConfig, MuxConnection},
        net::{self, FirstByte, distrusted},
    },
};

pub(super) async fn dial(address: &Address, options: &ConnectOptions) -> Result<MuxConnection, Status> {
    let tcp = net::connect((address.host(), address.port())).await;
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
    match hint.or_else(|| distrusted(status.message()).map(str::to_owned)) {
        Some(hint) if status.code() == Code::Unavailable => {
            let message = format!("{} ({hint})", status.message());
            status.with_message(message)
        }
        _ => status,
    }
}

async fn speak(address: &Address, tcp: impl Io, options: &ConnectOptions) -> Result<MuxConnection, Status> {
    if !address.is_tls() {
        return shake(address, tcp, options).await;
    }
    let config = Arc::new(trust::client(options.ca_file.as_deref())?);
    let name = ServerName::try_from(address.host().to_owned())
        .map_err(|error| Status::invalid_argument(format!("{address}: {error}")))?;
    let tls = TlsConnector::from(config).connect(name, tcp).await;
    shake(address, tls.map_err(|error| unreachable(address, &error))?, options).await
}

async fn shake(address: &Address, io: impl Io, options: &ConnectOptions) -> Result<MuxConnection, Status> {
    let request = address.uri().into_client_request();
    let mut request = request.map_err(|error| unreachable(address, &error))?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let shaken = client_async_with_config(request, io, Some(pipe::limits())).await;
    let (socket, _) = shaken.map_err(|error| refused(address, &error))?;
    let mux = MuxConfig { handshake_timeout: options.connect_timeout, ..MuxConfig::default() };
    Mux::client(Pipe::new(socket), mux).await.map_err(|error| unreachable(address, &error))
}

/// An answer other than a WebSocket, with what it says of itself.
fn refused(address: &Address, error: &Error) -> Status {
    let Error::Http(answer) = error else {
        return unreachable(address, error);
    };
    let words = answer.body().as_deref().unwrap_or_default();
    let words = String::from_utf8_lossy(&words[..words.len().min(256)]);
    let message = format!("{address}: the server answered {}: {}", answer.status(), words.trim());
    match answer.status() {
        StatusCode::UNAUTHORIZED => Status::unauthenticated(message),
        StatusCode::FORBIDDEN => Status::permission_denied(message),
        _ => Status::unavailable(message),
    }
}

fn unreachable(address: &Address, error: &dyn fmt::Display) -> Status {
    Status::unavailable(format!("{address}: {error}"))
}
