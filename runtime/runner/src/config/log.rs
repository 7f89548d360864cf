//! `[log]`: the log's filter and format.

use polywire_core::settings::Setting;
use serde::{Deserialize, Serialize};

/// The directives in front of [`Log::filter`].
pub(crate) const BASE: &str = "info,openraft=off";

polywire_core::section! {
    /// The log's filter and format. Logs go to stderr.
    pub struct Log {
        /// Level, or directives per module such as "info,polywire=debug".
        ///
        /// They follow "info,openraft=off": the node logs the important events of consensus itself, so openraft is silent by
        /// default. If the key is not set, the environment variable RUST_LOG applies.
        ///
        /// The syntax is that of `tracing_subscriber::EnvFilter`; of two directives for one target, the later one applies.
        pub filter: String = BASE.to_owned(),
        /// Format of a line: "human", "json", or "auto" for human on a terminal and json elsewhere. `--log-format` is a
        /// short form of this key.
        pub format: LogFormat = LogFormat::Human,
    }
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// [`Human`](Self::Human) if stderr is a terminal, otherwise [`Json`](Self::Json).
    Auto,
    /// Text for people.
    Human,
    /// One JSON object per line, with the enabled spans around the event. Spans of calls are enabled while traces are
    /// exported, or by "polywire::rpc=debug" in [`Log::filter`].
    Json,
}

impl Setting for LogFormat {
    const EXPECTED: &'static str = "\"auto\", \"human\" or \"json\"";
}
