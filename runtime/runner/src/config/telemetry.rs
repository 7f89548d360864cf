//! `[telemetry]`: the recording and export of traces.

use url::Url;

polywire_core::section! {
    /// The recording and export of traces.
    pub struct Telemetry {
        /// URL of an OTLP collector over gRPC, such as "http://127.0.0.1:4317". Without it, no traces are recorded.
        pub otlp_endpoint: Option<Url> = None,
        /// Share of the traces that begin at this node to export, from 0 to 1. Traces that began elsewhere follow the
        /// caller's sampling decision.
        pub sample_ratio: f64 = 1.0,
        /// Filter of the exported spans, in the syntax of log.filter: "polywire=debug" exports calls,
        /// "polywire=debug,my_crate=info" also your own spans.
        pub filter: String = "polywire=debug".to_owned(),
    }
}
