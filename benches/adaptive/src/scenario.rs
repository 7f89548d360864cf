use std::time::Duration;

use crate::Weather;

/// A course of the weather on two transports, of which the channel names Iroh first.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name in the figures.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub title: &'static str,
    /// How long it goes on.
    pub length: Duration,
    /// How many calls are made a second.
    pub rate: u32,
    /// Iroh's weather so long after the beginning.
    pub iroh: fn(Duration) -> Weather,
    /// gRPC's.
    pub grpc: fn(Duration) -> Weather,
}

const MINUTE: Duration = Duration::from_secs(60);

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "step",
        title: "Iroh is faster, becomes slow for 40 s, and is faster again",
        length: Duration::from_secs(100),
        rate: 100,
        iroh: |at| if seconds(at, 20..60) { Weather::fair(60) } else { Weather::fair(5) },
        grpc: |_| Weather::fair(20),
    },
    Scenario {
        name: "slow",
        title: "Iroh, which comes first, is ten times as slow",
        length: MINUTE,
        rate: 100,
        iroh: |_| Weather::fair(100),
        grpc: |_| Weather::fair(10),
    },
    Scenario {
        name: "wavering",
        title: "Iroh is fast in one second and slow in the next",
        length: MINUTE,
        rate: 100,
        iroh: |at| if at.as_secs().is_multiple_of(2) { Weather::fair(5) } else { Weather::fair(60) },
        grpc: |_| Weather::fair(20),
    },
    Scenario {
        name: "coming and going",
        title: "Iroh is faster, and gone for 2 s in every 5",
        length: MINUTE,
        rate: 100,
        iroh: |at| if at.as_secs() % 5 < 3 { Weather::fair(5) } else { Weather::REFUSING },
        grpc: |_| Weather::fair(20),
    },
    Scenario {
        name: "breaking",
        title: "Iroh is faster, and from 20 s on one call in ten breaks off",
        length: MINUTE,
        rate: 100,
        iroh: |at| Weather::fair(10).breaking(if at.as_secs() < 20 { 0.0 } else { 0.1 }),
        grpc: |_| Weather::fair(20),
    },
    Scenario {
        name: "alike",
        title: "gRPC is a tenth faster",
        length: MINUTE,
        rate: 100,
        iroh: |_| Weather::fair(20),
        grpc: |_| Weather::fair(18),
    },
    Scenario {
        name: "seldom",
        title: "the step, at two calls a second",
        length: Duration::from_secs(300),
        rate: 2,
        iroh: |at| if seconds(at, 200..300) { Weather::fair(60) } else { Weather::fair(5) },
        grpc: |_| Weather::fair(20),
    },
];

fn seconds(at: Duration, within: std::ops::Range<u64>) -> bool {
    within.contains(&at.as_secs())
}

impl Scenario {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }
}
