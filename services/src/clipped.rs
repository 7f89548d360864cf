use std::fmt;

/// A name that a peer chose, quoted for an error: at most 100 characters of it.
pub(crate) struct Clipped<'a>(pub(crate) &'a str);

const LONGEST: usize = 100;

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(LONGEST) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whole_up_to_a_hundred_characters() {
        let hundred = "ß".repeat(100);
        assert_eq!(Clipped(&hundred).to_string(), format!("\"{hundred}\""));
        assert_eq!(Clipped(&(hundred.clone() + "ß")).to_string(), format!("\"{hundred}\"…"));
    }
}
