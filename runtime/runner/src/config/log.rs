//! `[log]`: what is logged, and in which form.

use polywire_core::settings::Setting;
use serde::{Deserialize, Serialize};

/// What [`Log::filter`] is added to.
pub(crate) const BASE: &str = "info,openraft=off";

polywire_core::section! {
    /// What is logged, and in which form. Logs go to stderr.
    pub struct Log {
        /// Level, or directives per module such as "info,polywire=debug".
        ///
        /// They are added to "info,openraft=off": what consensus says of itself is left out unless it is asked for, as the
        /// node says what matters of it. Unset, RUST_LOG is taken where it is set.
        ///
        /// The syntax is that of `tracing_subscriber::EnvFilter`, where of two directives for one target the later holds.
        pub filter: String = BASE.to_owned(),
        /// Form of a line: "human", "json", or "auto" for human on a terminal and json elsewhere. `--log-format` is short
        /// for it.
        pub format: LogFormat = LogFormat::Human,
    }
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// [`Human`](Self::Human) where stderr is a terminal, else [`Json`](Self::Json).
    Auto,
    /// Text for people.
    Human,
    /// One JSON object a line, with the spans that the line was written in where they are wanted: those of calls
    /// are while traces are sent, or with "polywire::rpc=debug" in [`Log::filter`].
    Json,
}

impl Setting for LogFormat {
    const EXPECTED: &'static str = "\"auto\", \"human\" or \"json\"";
}
