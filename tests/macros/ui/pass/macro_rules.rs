//! The trait may be written by another macro, its types given from outside.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::{GetRequest, Item};
use polywire::{Context, Status, Streaming};

macro_rules! service {
    ($name:ident, $context:ty, $request:ty, $reply:ty, $error:ty) => {
        /// What is in stock.
        #[polywire::service(package = "inventory.v1")]
        pub trait $name {
            /// Looks one item up.
            async fn get(&self, cx: $context, request: $request) -> Result<$reply, $error>;
        }
    };
}

service!(Inventory, &Context, GetRequest, Item, Status);
service!(Watched, &Context, Streaming<GetRequest>, Streaming<Item>, Status);

fn main() {
    fn is_both<T: Inventory, U: Watched>() {}
    is_both::<InventoryClient, WatchedClient>();
    let table = <WatchedDefinition as polywire::__private::Definition>::SERVICE;
    assert_eq!(table.methods()[0].shape(), polywire::Shape::BidiStreaming);
}
