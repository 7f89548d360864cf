//! The node with every built-in service and no others.

mod blixard;

use polywire::NodeBuilder;

#[polywire::main]
fn node() -> NodeBuilder {
    polywire_services::node().with(polywire_services::cluster()).with(blixard::old_services)
}
