use std::{fmt, fs, str::FromStr};

use polywire_core::{Metadata, Target};

use super::super::failure::Failure;
use crate::tokens::{Token, authorization};

/// A token on the command line, or the file that it is in.
#[derive(Clone)]
pub(in crate::cli) struct TokenArg(Token);

impl TokenArg {
    pub(super) fn token(&self) -> &Token {
        &self.0
    }

    /// The metadata of a call with the token.
    pub(in crate::cli) fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::new();
        let (key, value) = authorization(&self.0.to_string());
        // Base64url is printable ASCII.
        let _ = metadata.append(key, value);
        metadata
    }

    /// The targets that the token carries.
    ///
    /// # Errors
    /// If it carries none that this build can call.
    pub(in crate::cli) fn targets(&self) -> Result<Vec<Target>, Failure> {
        let targets: Vec<_> = self.0.targets().iter().filter_map(|target| target.parse().ok()).collect();
        match targets.is_empty() {
            true => {
                Err(Failure::usage("the token carries no target that this build can call; expected a TARGET"))
            }
            false => Ok(targets),
        }
    }
}

impl FromStr for TokenArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = match text.strip_prefix('@') {
            Some(file) => {
                fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?
            }
            None => text.to_owned(),
        };
        read.trim().parse().map(Self).map_err(|error: crate::tokens::InvalidToken| error.to_string())
    }
}

/// Without the secret.
impl fmt::Debug for TokenArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
