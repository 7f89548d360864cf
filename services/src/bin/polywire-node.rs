//! The node with the built-in services and no others.

use polywire::NodeBuilder;

#[polywire::main]
fn node() -> NodeBuilder {
    polywire_services::node()
}
