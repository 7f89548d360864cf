//! A node that serves over TCP too, where `[transport.tcp]` says `enabled = true`.

use polywire_tcp::Tcp;

#[polywire::main(transports = [Tcp])]
fn node() -> polywire::NodeBuilder {
    polywire_services::node()
}
