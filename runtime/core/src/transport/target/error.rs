/// Why a text is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It names no scheme and is no ticket.
    #[error("{text:?} is not a target; {}expected {expected}", did_you_mean(.meant))]
    NoScheme {
        /// The text.
        text: String,
        /// The target that was probably meant.
        meant: Option<String>,
        /// The forms that are known.
        expected: String,
    },
    /// The scheme is unknown.
    #[error("`{scheme}://` is not built in; {}expected {expected}", did_you_mean(.meant))]
    UnknownScheme {
        /// The scheme.
        scheme: String,
        /// The target that was probably meant.
        meant: Option<String>,
        /// The forms that are known.
        expected: String,
    },
    /// The scheme is known, and what follows does not suit it.
    #[error("{text:?}: {reason}; expected {expected}")]
    Malformed {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// The form of the scheme.
        expected: &'static str,
    },
}

fn did_you_mean(meant: &Option<String>) -> String {
    meant.as_ref().map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default()
}
