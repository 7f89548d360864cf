//! Asking a target's directory.

use super::lanes::Lanes;
pub(super) use polywire_core::__runner::directory::{LIST, ListRequest, ListResponse, Service, shape};
use polywire_core::{Codec, Metadata, Payload, Service as _, Status};

/// Asks the target for everything that it serves.
pub(super) async fn list(lanes: &Lanes, metadata: &Metadata) -> Result<Vec<Service>, Status> {
    Ok(ask(lanes, metadata, false).await?.services)
}

/// The same, with the other members of its cluster where `members` says so.
pub(super) async fn ask(lanes: &Lanes, metadata: &Metadata, members: bool) -> Result<ListResponse, Status> {
    // Every node reads protobuf, whatever its transport prefers.
    let cx = lanes.context(LIST, metadata, Some(Codec::Protobuf), true);
    let answer = lanes.in_time(lanes.channel.unary(cx, Payload::new(ListRequest { members }))).await?;
    answer.into_message().decode()
}
