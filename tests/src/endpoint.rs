//! Iroh endpoints that never leave the loopback interface.

use iroh::{
    Endpoint, EndpointAddr, RelayMode, SecretKey,
    endpoint::{Builder, presets},
};
use polywire::iroh::QuicProfile;

/// The builder of an endpoint on a free port of 127.0.0.1, without relay and lookup.
pub fn builder() -> Builder {
    builder_at("127.0.0.1:0")
}

/// The builder of an endpoint at this address.
///
/// # Panics
/// When it is not an address.
pub fn builder_at(address: &str) -> Builder {
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr(address)
        .expect("a socket address")
}

/// An endpoint with iroh's own settings.
///
/// # Panics
/// When it cannot be bound.
pub async fn plain() -> Endpoint {
    builder().bind().await.expect("a free port on loopback")
}

/// An endpoint with the profile of a node.
///
/// # Panics
/// When it cannot be bound.
pub async fn tuned(profile: &QuicProfile) -> Endpoint {
    builder().transport_config(profile.transport_config()).bind().await.expect("a free port on loopback")
}

/// An endpoint of this key, where the other of this key was.
///
/// # Panics
/// When it cannot be bound.
pub async fn revenant(key: SecretKey, address: &str) -> Endpoint {
    builder_at(address).secret_key(key).bind().await.expect("the port that was just left")
}

/// Where the endpoint is reached.
pub fn address(endpoint: &Endpoint) -> EndpointAddr {
    endpoint.addr()
}
