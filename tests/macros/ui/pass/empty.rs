//! A service without methods.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

/// Nothing.
#[polywire::service(package = "inventory.v1", name = "Void")]
pub trait Nothing {}

impl Nothing for () {}

fn main() {
    let server = NothingServer::new(());
    assert_eq!(server.info().name(), "inventory.v1.Void");
}
