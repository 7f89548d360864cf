//! Raw identifiers keep their names in Rust and lose the prefix on the wire.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::Item;
use polywire::Status;

/// A kind of thing.
#[polywire::service(package = "inventory.v1")]
pub trait r#Kind {
    /// Matches.
    async fn r#match(&self, r#in: Item) -> Result<Item, Status>;
}

struct Echo;

impl Kind for Echo {
    async fn r#match(&self, r#in: Item) -> Result<Item, Status> {
        Ok(r#in)
    }
}

fn main() {
    let table = <KindDefinition as polywire::__private::Definition>::SERVICE;
    assert_eq!(table.methods()[0].path(), "/inventory.v1.Kind/Match");
    run(async {
        let client = KindClient::new(KindServer::new(Echo));
        assert_eq!(client.r#match(Item { id: 3 }).await.unwrap().id, 3);
    });
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
