use std::{sync::Arc, time::SystemTime};

use ::http::Extensions;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::NAME;
use crate::{Caller, transport::net::with_identity_of};

/// The caller of a request, by the request's extensions: an `Arc<Caller>` that a layer has put there, else what tonic's
/// `Server` says of the connection. Under its TLS with client authorities, the client's certificate has been verified and
/// proves the caller's identity: its own Ed25519 key, its SPIFFE id, or else its first DNS name.
///
/// Other servers (axum's, for instance) put an `Arc<Caller>` there by a layer of the program.
pub fn caller_of(extensions: &Extensions) -> Arc<Caller> {
    if let Some(caller) = extensions.get::<Arc<Caller>>() {
        return caller.clone();
    }
    let tls = extensions.get::<TlsConnectInfo<TcpConnectInfo>>();
    let tcp = tls.map(TlsConnectInfo::get_ref).or_else(|| extensions.get::<TcpConnectInfo>());
    let caller = Caller::new(NAME);
    let caller = match tcp.and_then(TcpConnectInfo::remote_addr) {
        Some(remote) => caller.at(remote),
        None => caller,
    };
    Arc::new(match tls.and_then(TlsConnectInfo::peer_certs) {
        Some(shown) => with_identity_of(caller, &shown, SystemTime::now()),
        None => caller,
    })
}
