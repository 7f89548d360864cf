use std::fmt;

/// The identity of the binary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// The commit that it was built from, if known.
    pub(crate) commit: Option<&'static str>,
}

/// The features of this crate in alphabetical order, and whether the binary has them.
const FEATURES: [(&str, bool); 12] = [
    ("grpc", cfg!(feature = "grpc")),
    ("gzip", cfg!(feature = "gzip")),
    ("iroh", cfg!(feature = "iroh")),
    ("jwt", cfg!(feature = "jwt")),
    ("memory", cfg!(feature = "memory")),
    ("mux", cfg!(feature = "mux")),
    ("opentelemetry", cfg!(feature = "opentelemetry")),
    ("otlp", cfg!(feature = "otlp")),
    ("quic", cfg!(feature = "quic")),
    ("unix", cfg!(feature = "unix")),
    ("websocket", cfg!(feature = "websocket")),
    ("zstd", cfg!(feature = "zstd")),
];

/// The full version text; clap adds the name.
impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version)?;
        if let Some(commit) = self.commit.filter(|commit| !commit.is_empty()) {
            write!(f, " ({commit})")?;
        }
        write!(f, "\npolywire: {}\nfeatures:", env!("CARGO_PKG_VERSION"))?;
        for (name, _) in FEATURES.iter().filter(|(_, has)| *has) {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_said_where_it_is_known() {
        let build = Build { name: "node", version: "1.2.3", commit: Some("0123abc") };
        assert!(build.to_string().starts_with("1.2.3 (0123abc)\npolywire: "), "{build}");
        for commit in [None, Some("")] {
            assert!(Build { commit, ..build }.to_string().starts_with("1.2.3\npolywire: "));
        }
    }
}
