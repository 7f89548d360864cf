//! A node of a cluster, as the others know it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A node of the cluster, as all of them know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name, for people.
    pub name: String,
    /// Its Ed25519 public key in hexadecimal, which is its Iroh endpoint id.
    pub endpoint_id: String,
    /// Its targets, one for each transport that it serves.
    pub targets: Vec<String>,
    /// The run of its process, drawn at random at each start; 0 from a version that draws none.
    #[serde(default)]
    pub incarnation: u64,
}

impl Member {
    /// Its id in the cluster: the first eight bytes of its public key. `None` where `endpoint_id` is no key.
    pub fn id(&self) -> Option<u64> {
        id(&self.endpoint_id)
    }

    /// Its target over this scheme, such as `grpc`, where it has one.
    pub fn target(&self, scheme: &str) -> Option<&str> {
        let fits = |target: &&String| target.split_once("://").is_some_and(|(own, _)| own == scheme);
        self.targets.iter().find(fits).map(String::as_str)
    }
}

/// The id in the cluster of the node with this public key in hexadecimal: the key's first eight bytes.
pub(crate) fn id(endpoint_id: &str) -> Option<u64> {
    u64::from_str_radix(endpoint_id.get(..16)?, 16).ok()
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.targets.join(", "))
    }
}
