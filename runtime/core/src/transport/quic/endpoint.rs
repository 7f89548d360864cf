use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Weak},
    time::Duration,
};

use quinn::{ConnectError, Connecting, Endpoint};
use tokio::runtime::{Handle, Id};

use crate::sync::Mutex;

/// A UDP socket to dial from. Those who dial share it while any of their connections lives.
#[derive(Debug)]
pub(super) struct ClientEndpoint(Endpoint);

/// The endpoints in use: one a runtime, which drives it, and local address.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientEndpoints(Arc<Mutex<Vec<RunningEndpoint>>>);

#[derive(Debug)]
struct RunningEndpoint {
    runtime: Id,
    local: IpAddr,
    endpoint: Weak<ClientEndpoint>,
}

/// How long the last to leave waits until its peers have heard of it; more than three of the probe timeouts
/// that RFC 9000 (section 10.2) wants, on any but the slowest way.
const GOODBYE: Duration = Duration::from_secs(1);

impl ClientEndpoints {
    /// The endpoint to dial this address from. Must be called within a runtime.
    pub(super) fn toward(&self, remote: SocketAddr) -> io::Result<Arc<ClientEndpoint>> {
        let (runtime, local) = (Handle::current().id(), local(remote.ip()));
        let mut shared = self.0.lock();
        shared.retain(|shared| shared.endpoint.strong_count() > 0);
        let same = |shared: &&RunningEndpoint| shared.runtime == runtime && shared.local == local;
        if let Some(endpoint) = shared.iter().find(same).and_then(|shared| shared.endpoint.upgrade()) {
            return Ok(endpoint);
        }
        let endpoint = Arc::new(ClientEndpoint(Endpoint::client(SocketAddr::new(local, 0))?));
        shared.push(RunningEndpoint { runtime, local, endpoint: Arc::downgrade(&endpoint) });
        Ok(endpoint)
    }
}

impl ClientEndpoint {
    pub(super) fn dial(
        &self,
        config: quinn::ClientConfig,
        remote: SocketAddr,
        name: &str,
    ) -> Result<Connecting, ConnectError> {
        self.0.connect_with(config, remote, name)
    }

    /// Returns once the peers of closed connections have been told. With connections of others open there is
    /// nothing to wait for: the socket stays.
    pub(super) async fn idle(self: &Arc<Self>) {
        if Arc::strong_count(self) == 1 {
            // A peer that cannot be told learns it from the silence.
            let _ = tokio::time::timeout(GOODBYE, self.0.wait_idle()).await;
        }
    }
}

/// A peer on this machine is dialled from loopback, so that other machines cannot reach the socket.
fn local(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(ip) if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(ip) if ip.is_loopback() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
