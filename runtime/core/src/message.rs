use serde::{Serialize, de::DeserializeOwned};

/// What a call can carry: any `prost::Message` that is also serde, derived by hand or generated from a
/// `.proto` file. Implemented for every such type; there is nothing to write.
///
/// ```
/// #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
/// #[serde(default)] // a field that the sender does not know is its default, as in protobuf
/// struct Item {
///     #[prost(string, tag = "1")]
///     name: String,
///     #[prost(bytes = "bytes", tag = "2")]
///     picture: bytes::Bytes,
/// }
/// fn accepted<M: polywire::Message>() {}
/// accepted::<Item>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "not a message",
    note = "a message derives `prost::Message`, `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Message: prost::Message + Serialize + DeserializeOwned + Default + 'static {}

impl<M: prost::Message + Serialize + DeserializeOwned + Default + 'static> Message for M {}
