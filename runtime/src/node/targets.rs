use serde::Serialize;

/// Where a node is reached from this machine. Serialises to the line that `serve --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// The node's id.
    pub node_id: String,
    /// Over gRPC, `grpc://host:port` or, under TLS, `grpcs://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// Over Iroh, `iroh://ENDPOINT_ID?addr=ip:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iroh: Option<String>,
    /// The HTTP side, `http://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
}

impl Targets {
    pub(super) fn set(&mut self, transport: &str, target: String) {
        match transport {
            "grpc" => self.grpc = Some(target),
            "iroh" => self.iroh = Some(target),
            _ => {}
        }
    }
}

/// An address that this machine can reach: one that stands for every interface becomes loopback.
pub(super) fn reachable(address: std::net::SocketAddr) -> std::net::SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
