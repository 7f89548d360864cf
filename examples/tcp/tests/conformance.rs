//! The transport means by a call what every other does.

use polywire::conformance::Conformance;
use polywire_tcp::{Tcp, TcpConfig};

#[test]
fn calls_over_tcp_mean_what_they_mean_everywhere() {
    let config = TcpConfig { bind_address: ([127, 0, 0, 1], 0).into(), ..TcpConfig::default() };
    Conformance::new(Tcp, config).run().assert();
}
