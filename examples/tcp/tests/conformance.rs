//! The transport means by a call what every other does.

use peak_alloc::PeakAlloc;
use polywire_conformance::Conformance;
use polywire_tcp::{Tcp, TcpConfig};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// How many calls run at a time on one connection: few, so that the suite makes more of them than that at once.
const STREAMS: u32 = 64;

/// How much more may be allocated after a thousand calls of each shape, in bytes.
const TOLERANCE: usize = 128 << 10;

#[test]
fn calls_over_tcp_mean_what_they_mean_everywhere() {
    let config = TcpConfig {
        bind_address: ([127, 0, 0, 1], 0).into(),
        max_concurrent_streams: STREAMS,
        ..TcpConfig::default()
    };
    let report = Conformance::new(Tcp, config)
        .concurrency_limit(STREAMS as usize)
        .allocated(|| ALLOCATOR.current_usage(), TOLERANCE)
        .run();
    report.assert();
    assert!(report.to_string().contains(" 0 not applicable"), "{report}");
}
