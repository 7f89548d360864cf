//! Nothing in the expansion comes from the prelude.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

/// No prelude here.
#[no_implicit_prelude]
pub mod bare {
    use ::core::result::Result;

    use ::polywire::{Context, Response, Status, Streaming};

    use super::messages::{GetRequest, Item};

    /// An error of its own.
    #[::core::prelude::v1::derive(::core::fmt::Debug)]
    pub struct Broken(Status);

    impl ::core::convert::From<Status> for Broken {
        fn from(status: Status) -> Self {
            Self(status)
        }
    }

    impl ::core::convert::From<Broken> for Status {
        fn from(broken: Broken) -> Self {
            broken.0
        }
    }

    /// What is in stock.
    #[::polywire::service(package = "inventory.v1")]
    pub trait Inventory {
        /// Looks one item up.
        #[rpc(idempotent, timeout = "5s", max_message_bytes = 4096, access = "public")]
        async fn get(&self, cx: &Context, request: GetRequest) -> Result<Item, Status>;
        /// Trades items.
        async fn sync(&self, items: Streaming<Item>) -> Result<Response<Streaming<Item>>, Broken>;
        /// Has a body.
        async fn put(&self, item: Item) -> Result<Item, Status> {
            Result::Ok(item)
        }
        /// Is called as a constructor is.
        async fn new(&self, item: Item) -> Result<Item, Status>;
    }
}

fn main() {
    fn is_inventory<T: bare::Inventory>() {}
    is_inventory::<bare::InventoryClient>();
}
