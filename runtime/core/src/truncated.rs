use std::fmt;

/// Text that a peer chose, for an error that is sent or logged: at most 100 characters of it. Its `Display` is the text,
/// its `Debug` the text in quotation marks.
///
/// What a peer sends must not come back at length: a status over gRPC has 8 KiB for all that it says.
///
/// ```
/// use polywire::Truncated;
///
/// assert_eq!(format!("there is no {:?}", Truncated("anvil")), "there is no \"anvil\"");
/// assert_eq!(Truncated(&"a".repeat(9_500)).to_string(), format!("{}…", "a".repeat(100)));
/// ```
#[derive(Clone, Copy)]
pub struct Truncated<'a>(pub &'a str);

const LONGEST: usize = 100;

/// How long an error of a library may be that quotes what a peer sent, in characters.
const LONGEST_REASON: usize = 300;

impl Truncated<'_> {
    /// What is shown, and what says that there is more.
    fn parts(&self) -> (&str, &'static str) {
        parts(self.0, LONGEST)
    }
}

fn parts(text: &str, longest: usize) -> (&str, &'static str) {
    match text.char_indices().nth(longest) {
        None => (text, ""),
        Some((end, _)) => (&text[..end], "…"),
    }
}

/// What a library says of something that a peer sent, which it may quote at length.
pub fn reason(error: &dyn fmt::Display) -> String {
    let mut text = error.to_string();
    let (shown, more) = parts(&text, LONGEST_REASON);
    let end = shown.len();
    text.truncate(end);
    text + more
}

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, more) = self.parts();
        write!(f, "{shown}{more}")
    }
}

impl fmt::Debug for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, more) = self.parts();
        write!(f, "{shown:?}{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_whole_up_to_a_hundred_characters() {
        let hundred = "ß".repeat(100);
        let longer = hundred.clone() + "ß";
        assert_eq!(Truncated(&hundred).to_string(), hundred);
        assert_eq!(Truncated(&longer).to_string(), format!("{hundred}…"));
        assert_eq!(format!("{:?}", Truncated(&hundred)), format!("\"{hundred}\""));
        assert_eq!(format!("{:?}", Truncated(&longer)), format!("\"{hundred}\"…"));
    }
}
