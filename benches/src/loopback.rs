//! Both ends in this process, and nothing leaves the machine.

use iroh::{
    Endpoint, RelayMode,
    endpoint::{QuicTransportConfig, presets},
};

use crate::contestant::Result;

/// An iroh endpoint on any free UDP port, without relay and lookup.
///
/// # Errors
/// When it cannot be bound.
pub async fn endpoint(quic: QuicTransportConfig, alpns: &[&[u8]]) -> Result<Endpoint> {
    let builder = Endpoint::builder(presets::Minimal)
        .alpns(alpns.iter().map(|alpn| alpn.to_vec()).collect())
        .transport_config(quic)
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?;
    Ok(builder.bind().await?)
}
