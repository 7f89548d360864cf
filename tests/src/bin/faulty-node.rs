//! A node that panics where it is told to.

use polywire_tests::faults::{FaultsServer, Faulty};

#[polywire::main]
fn node() -> polywire::NodeBuilder {
    polywire::Node::builder().service(FaultsServer::new(Faulty))
}
