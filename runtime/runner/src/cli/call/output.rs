use std::io::Write;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::cli::{failure::Failure, print};
use polywire_core::Metadata;

/// The output of a call: messages on stdout, a line each, and with `-v` metadata on stderr.
pub(super) struct Output<W> {
    messages: W,
    verbose: bool,
}

impl<W: Write> Output<W> {
    pub(super) fn new(messages: W, verbose: bool) -> Self {
        Self { messages, verbose }
    }

    /// Writes a message and flushes it.
    pub(super) fn message(&mut self, json: &str) -> Result<(), Failure> {
        let written = writeln!(self.messages, "{json}").and_then(|()| self.messages.flush());
        written.map_err(Failure::output)
    }

    pub(super) fn leading(&self, metadata: &Metadata) {
        self.metadata("leading", metadata);
    }

    pub(super) fn trailing(&self, metadata: &Metadata) {
        self.metadata("trailing", metadata);
    }

    fn metadata(&self, side: &str, metadata: &Metadata) {
        if self.verbose {
            print::notes(lines(side, metadata));
        }
    }
}

fn lines(side: &str, metadata: &Metadata) -> String {
    let line = |(key, value): (&str, &bytes::Bytes)| match key.ends_with("-bin") {
        true => format!("{side} {key}: {}\n", BASE64.encode(value)),
        false => format!("{side} {key}: {}\n", String::from_utf8_lossy(value)),
    };
    metadata.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_a_line_an_entry() {
        let mut metadata = Metadata::new();
        metadata.append("tenant", "blue").unwrap();
        metadata.append_bin("trace-bin", vec![0, 255]).unwrap();
        assert_eq!(lines("leading", &metadata), "leading tenant: blue\nleading trace-bin: AP8=\n");
    }
}
