//! The messages of `polywire.access.v1` that the commands need. They travel as protobuf only, so their names do not matter.

use serde::{Deserialize, Serialize};

pub(super) const ISSUE: &str = "/polywire.access.v1.Access/Issue";
pub(super) const LIST: &str = "/polywire.access.v1.Access/List";
pub(super) const REVOKE: &str = "/polywire.access.v1.Access/Revoke";

/// All methods of the service.
pub(super) const SERVICE: &str = "polywire.access.v1.Access/*";

/// `IssueRequest`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct IssueRequest {
    #[prost(string, repeated, tag = "1")]
    pub(super) methods: Vec<String>,
    #[prost(uint64, tag = "2")]
    pub(super) valid_for_seconds: u64,
    #[prost(uint32, optional, tag = "3")]
    pub(super) uses: Option<u32>,
    #[prost(string, tag = "4")]
    pub(super) to: String,
    #[prost(string, tag = "5")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "6")]
    pub(super) targets: Vec<String>,
}

/// `IssueResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct IssueResponse {
    #[prost(string, tag = "1")]
    pub(super) token: String,
}

/// `ListRequest` and `RevokeResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Nothing {}

/// `ListResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) tokens: Vec<IssuedToken>,
    #[prost(message, repeated, tag = "2")]
    pub(super) rules: Vec<Rule>,
    #[prost(bool, tag = "3")]
    pub(super) trust_local: bool,
    #[prost(bool, tag = "4")]
    pub(super) insecure: bool,
}

/// `IssuedToken`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct IssuedToken {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "3")]
    pub(super) methods: Vec<String>,
    #[prost(uint64, tag = "4")]
    pub(super) expires: u64,
    #[prost(uint32, optional, tag = "5")]
    pub(super) uses: Option<u32>,
    #[prost(uint32, tag = "6")]
    pub(super) used: u32,
    #[prost(string, tag = "7")]
    pub(super) to: String,
    #[prost(bool, tag = "8")]
    pub(super) revoked: bool,
}

/// `AccessRule`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rule {
    #[prost(string, repeated, tag = "1")]
    pub(super) who: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) what: Vec<String>,
}

/// `RevokeRequest`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RevokeRequest {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}
