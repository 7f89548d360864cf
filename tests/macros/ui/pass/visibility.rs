//! What is generated is as visible as the trait, and warns of nothing where it is not used.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::Item;
use polywire::Status;

/// Private.
#[polywire::service(package = "inventory.v1")]
trait Private {
    /// Echoes.
    async fn echo(&self, item: Item) -> Result<Item, Status>;
}

struct Echo;

impl Private for Echo {
    async fn echo(&self, item: Item) -> Result<Item, Status> {
        Ok(item)
    }
}

mod inner {
    use super::messages::Item;
    use polywire::Status;

    #[polywire::service(package = "inventory.v1")]
    pub(super) trait Restricted {
        async fn echo(&self, item: Item) -> Result<Item, Status>;
    }

    impl Restricted for super::Echo {
        async fn echo(&self, item: Item) -> Result<Item, Status> {
            Ok(item)
        }
    }
}

fn main() {
    let _ = PrivateServer::new(Echo);
    let _ = inner::RestrictedServer::new(Echo);

    #[polywire::service(package = "inventory.v1")]
    trait Local {
        async fn echo(&self, item: Item) -> Result<Item, Status>;
    }

    impl Local for Echo {
        async fn echo(&self, item: Item) -> Result<Item, Status> {
            Ok(item)
        }
    }

    let _ = LocalServer::new(Echo);
}
