//! `[telemetry]`: which traces are recorded, and where they go.

use url::Url;

polywire_core::section! {
    /// Which traces are recorded, and where they go.
    pub struct Telemetry {
        /// URL of a collector that takes OTLP over gRPC, such as "http://127.0.0.1:4317"; unset, nothing is recorded.
        pub otlp_endpoint: Option<Url> = None,
        /// Share of the traces that begin here of which the spans are sent, from 0 to 1. Those that began elsewhere
        /// are recorded where they are recorded there.
        pub sample_ratio: f64 = 1.0,
        /// Which spans are sent, as in log.filter: those of calls, and with "polywire=debug,my_crate=info" yours.
        pub filter: String = "polywire=debug".to_owned(),
    }
}
