//! `[telemetry]`: where traces go.

use url::Url;

section! {
    /// Where traces go.
    pub struct Telemetry {
        /// URL of an OTLP collector that spans are sent to, such as "http://127.0.0.1:4317"; unset, none are sent.
        pub otlp_endpoint: Option<Url> = None,
    }
}
