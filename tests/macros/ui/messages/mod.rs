//! The messages of the cases.

use serde::{Deserialize, Serialize};

/// Asks for an item.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub struct GetRequest {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub id: u32,
}

/// An item.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub struct Item {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub id: u32,
}
