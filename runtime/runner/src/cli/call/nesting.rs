/// Tracks the open brackets of JSON that arrives in pieces, and scans each byte once.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Scans more text. Returns the offset at which a value may end or becomes invalid; `None` if the value is still open
    /// at the end of the text.
    pub(super) fn end(&mut self, text: &str) -> Option<usize> {
        text.bytes().position(|byte| self.ends_with(byte)).map(|index| index + 1)
    }

    fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_string {
            return self.string_ends_with(byte);
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => false,
            b'"' => {
                self.in_string = true;
                false
            }
            b'{' | b'[' => {
                self.depth += 1;
                false
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.depth == 0
            }
            // A number or a word: the parser finds its end.
            _ => self.depth == 0,
        }
    }

    fn string_ends_with(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                return self.depth == 0;
            }
            // A line break in a string makes the value invalid.
            b'\n' => return true,
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_its_last_bracket_closes() {
        for (text, end) in [
            (r#" {"a": "}\"}", "b": [{}]} 1"#, Some(25)),
            (r#""a\\" "b""#, Some(5)),
            ("[1, 2", None),
            ("  ", None),
            ("12", Some(1)),
            ("]", Some(1)),
            ("[\"a\n", Some(4)),
        ] {
            assert_eq!(Nesting::default().end(text), end, "{text}");
        }
    }

    #[test]
    fn it_goes_on_where_the_piece_before_left_off() {
        let mut nesting = Nesting::default();
        assert_eq!(nesting.end("{\"a\\"), None);
        assert_eq!(nesting.end("\"}"), None);
        assert_eq!(nesting.end("\": 1}"), Some(5));
    }
}
