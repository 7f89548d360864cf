use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// The targets of a node, as seen from this machine. Serializes to the line that `serve --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The node's id.
    pub node_id: String,
    /// The targets by the name of the transport, in the order of binding: `grpc://host:port` for `grpc`.
    pub transports: Vec<(&'static str, String)>,
    /// The HTTP side, `http://host:port`.
    pub http: Option<String>,
}

impl Targets {
    /// The target of the transport with this name, if the node serves it.
    pub fn get(&self, transport: &str) -> Option<&str> {
        self.transports.iter().find_map(|(name, target)| (*name == transport).then_some(target.as_str()))
    }
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("node_id", &self.node_id)?;
        for (name, target) in &self.transports {
            map.serialize_entry(name, target)?;
        }
        if let Some(http) = &self.http {
            map.serialize_entry("http", http)?;
        }
        map.end()
    }
}
