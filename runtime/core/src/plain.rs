use std::fmt;

/// Text from elsewhere, for a line on a terminal or in a log: names, statuses, addresses. Its `Display` writes characters
/// that control a terminal, end a line or change the direction of the text as `\u001b`, and all others as they are.
///
/// ```
/// use polywire::Plain;
///
/// assert_eq!(Plain("a\u{1b}[2Jb\n").to_string(), r"a\u001b[2Jb\u000a");
/// assert_eq!(Plain("größer").to_string(), "größer");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(self.0, f, |_| false)
    }
}

/// The same for a text of several lines: ends of lines and tabs stay.
///
/// ```
/// use polywire::PlainLines;
///
/// assert_eq!(PlainLines("a\tb\n\u{7}").to_string(), "a\tb\n\\u0007");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PlainLines<'a>(pub &'a str);

impl fmt::Display for PlainLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(self.0, f, |character| matches!(character, '\n' | '\t'))
    }
}

fn write_plain(text: &str, f: &mut fmt::Formatter<'_>, stays: fn(char) -> bool) -> fmt::Result {
    let mut rest = text;
    while let Some(place) = rest.find(|character| is_control(character) && !stays(character)) {
        f.write_str(&rest[..place])?;
        let mut characters = rest[place..].chars();
        for character in characters.by_ref().take(1) {
            // As JSON has it, so that a line of JSON stays one.
            write!(f, "\\u{:04x}", u32::from(character))?;
        }
        rest = characters.as_str();
    }
    f.write_str(rest)
}

/// Whether the character controls what shows it: the control codes C0 and C1 (ECMA-48), the separators of lines and
/// paragraphs, and those that change the direction of text (UAX #9).
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_controls_a_terminal() {
        for character in ['\0', '\u{7}', '\r', '\n', '\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}'] {
            let plain = Plain(&format!("a{character}b")).to_string();
            assert_eq!(plain, format!("a\\u{:04x}b", u32::from(character)));
        }
        assert_eq!(Plain("").to_string(), "");
        assert_eq!(PlainLines("one\r\ntwo\n").to_string(), "one\\u000d\ntwo\n");
    }
}
