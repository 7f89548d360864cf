//! Calls to a target's directory.

use super::connect::Client;
pub(super) use polywire_core::__runner::directory::{LIST, ListRequest, ListResponse, Service, shape};
use polywire_core::{Codec, Metadata, Payload, Service as _, Status};

/// The services of the target.
pub(super) async fn list(client: &Client, metadata: &Metadata) -> Result<Vec<Service>, Status> {
    Ok(ask(client, metadata, false).await?.services)
}

/// The target's directory; with `members`, the other members of its cluster too.
pub(super) async fn ask(client: &Client, metadata: &Metadata, members: bool) -> Result<ListResponse, Status> {
    // Every node reads protobuf, on any transport.
    let cx = client.context(LIST, metadata, Some(Codec::Protobuf), true);
    let answer = client.in_time(client.channel.unary(cx, Payload::new(ListRequest { members }))).await?;
    answer.into_message().decode()
}
