use std::fmt;

/// A call that goes over another transport than the one that it prefers, or that it was going over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fallback<'a> {
    /// The path of its method, `/package.Service/Method`.
    pub path: &'a str,
    /// Where the transport leads that it does not take.
    pub from: &'a str,
    /// Where the one leads that it takes.
    pub to: &'a str,
    /// Why, in a word, as the metrics have it: `untried`, `set_aside`, `not_processed`, `unavailable`, `silent` or
    /// `hedge`.
    pub reason: &'static str,
    /// What went wrong on the one that it does not take, where something did.
    pub error: Option<String>,
}

impl fmt::Display for Fallback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.from)?;
        match (&self.error, self.reason) {
            // Which target it is of has just been said.
            (Some(error), _) => {
                write!(f, " failed ({})", error.replacen(&format!("{}: ", self.from), "", 1))?
            }
            (None, "untried") => f.write_str(" has not answered yet")?,
            (None, "silent") => f.write_str(" has gone silent")?,
            (None, "hedge") => f.write_str(" takes long")?,
            (None, _) => f.write_str(" does not work now")?,
        }
        write!(f, "; falling back to {}", self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_failed_why_and_what_is_taken_instead() {
        let told = Fallback {
            path: "/a.A/Get",
            from: "iroh://x",
            to: "grpc://y",
            reason: "set_aside",
            error: Some("no answer within 2s".to_owned()),
        };
        assert_eq!(told.to_string(), "iroh://x failed (no answer within 2s); falling back to grpc://y");
        let told = Fallback { reason: "untried", error: None, ..told };
        assert_eq!(told.to_string(), "iroh://x has not answered yet; falling back to grpc://y");
    }
}
