//! Splits JSON input into values as soon as each is complete.

use std::io;

use serde::de::IgnoredAny;

use super::{
    form::{Form, Request},
    nesting::Nesting,
};

/// Parses requests from text that arrives in pieces. A value may span lines, and a line may hold several values.
pub(super) struct Input {
    form: Form,
    /// The source of the text, for error texts.
    name: &'static str,
    text: String,
    /// The length of the text already parsed.
    read: usize,
    /// The length of the text already scanned by `nesting`.
    seen: usize,
    nesting: Nesting,
    /// The position of the first unparsed byte, from 0.
    line: usize,
    column: usize,
}

/// Invalid JSON: the place, the reason and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}, line {line}, column {column}: {reason}; expected {expected}")]
pub(super) struct BadJson {
    name: &'static str,
    line: usize,
    column: usize,
    reason: String,
    expected: String,
}

impl Input {
    pub(super) fn new(name: &'static str, form: Form) -> Self {
        let nesting = Nesting::default();
        Self { form, name, text: String::new(), read: 0, seen: 0, nesting, line: 0, column: 0 }
    }

    /// Adds text: whole lines, or the rest at the end of the source.
    pub(super) fn push(&mut self, text: &str) {
        self.text.drain(..self.read);
        self.seen -= self.read;
        self.read = 0;
        self.text += text;
    }

    /// The next complete value.
    pub(super) fn next(&mut self) -> Result<Option<Request>, BadJson> {
        if !self.may_hold_a_value() {
            return Ok(None);
        }
        self.skip(self.rest().len() - self.rest().trim_start().len());
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<IgnoredAny>();
        let length = match values.next() {
            None => return Ok(None),
            Some(Err(error)) if error.is_eof() => return Ok(None),
            Some(Err(error)) => return Err(self.bad(&error)),
            Some(Ok(_)) => values.byte_offset(),
        };
        let request = self.form.read(&self.rest()[..length]).map_err(|error| self.bad(&error))?;
        self.skip(length);
        Ok(Some(request))
    }

    /// Makes [`next`](Self::next) parse the failed value again.
    pub(super) fn again(&mut self) {
        self.skip(0);
    }

    /// Whether the text may hold a complete value, so that a value of many lines is not parsed again at each line.
    fn may_hold_a_value(&mut self) -> bool {
        match self.nesting.end(&self.text[self.seen..]) {
            Some(length) => {
                self.seen += length;
                true
            }
            None => {
                self.seen = self.text.len();
                false
            }
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.read..]
    }

    /// The error for a source that fails behind the text so far.
    pub(super) fn broken(&self, error: &io::Error) -> BadJson {
        BadJson {
            name: self.name,
            line: self.line + self.rest().matches('\n').count() + 1,
            column: 1,
            reason: error.to_string(),
            expected: self.form.expected(),
        }
    }

    /// Checks at the end of the source that no incomplete value is left.
    pub(super) fn finish(self) -> Result<(), BadJson> {
        match serde_json::from_str::<IgnoredAny>(self.rest().trim_end()) {
            Err(error) if !self.rest().trim().is_empty() => Err(self.bad(&error)),
            _ => Ok(()),
        }
    }

    fn skip(&mut self, bytes: usize) {
        let skipped = &self.text[self.read..self.read + bytes];
        match skipped.rsplit_once('\n') {
            None => self.column += skipped.len(),
            Some((before, last)) => {
                self.line += before.matches('\n').count() + 1;
                self.column = last.len();
            }
        }
        self.read += bytes;
        self.seen = self.read;
        self.nesting = Nesting::default();
    }

    fn bad(&self, error: &serde_json::Error) -> BadJson {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let text = error.to_string();
        BadJson {
            name: self.name,
            line: self.line + error.line().max(1),
            column: error.column() + if error.line() <= 1 { self.column } else { 0 },
            reason: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
            expected: self.form.expected(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input() -> Input {
        Input::new("stdin", Form::Plain)
    }

    /// The values that are complete once this much has arrived.
    fn complete(input: &mut Input, text: &str) -> Vec<serde_json::Value> {
        input.push(text);
        let next = std::iter::from_fn(|| input.next().unwrap());
        next.map(|request| if let Request::Plain(json) = request { json } else { panic!("no JSON") })
            .collect()
    }

    #[test]
    fn a_value_is_there_as_soon_as_its_last_line_is() {
        let mut input = input();
        assert_eq!(complete(&mut input, "{\"a\": 1}\n"), [json!({"a": 1})]);
        assert_eq!(complete(&mut input, "\n  {\n"), [] as [serde_json::Value; 0]);
        assert_eq!(complete(&mut input, "\"b\": 2}\n"), [json!({"b": 2})]);
        assert_eq!(input.finish(), Ok(()));
    }

    #[test]
    fn a_line_may_hold_several_values() {
        assert_eq!(complete(&mut input(), "{}{} 1 [2]\n"), [json!({}), json!({}), json!(1), json!([2])]);
    }

    #[test]
    fn what_is_wrong_is_found_where_it_is() {
        let mut input = input();
        complete(&mut input, "{}\n{}\n  {} ");
        input.push("{\"a\" 1}\n");
        let error = input.next().unwrap_err().to_string();
        assert_eq!(error, "stdin, line 3, column 11: expected `:`; expected a JSON value");
    }

    #[test]
    fn a_place_within_a_value_of_several_lines_is_counted_from_its_line() {
        let mut input = input();
        complete(&mut input, "{}\n");
        input.push("{\n \"a\": nope}\n");
        let error = input.next().unwrap_err();
        assert_eq!((error.line, error.column), (3, 8));
    }

    #[test]
    fn a_value_of_many_lines_takes_time_in_proportion() {
        let mut input = input();
        let lines = 50_000;
        assert!(complete(&mut input, "[\n").is_empty());
        for _ in 0..lines {
            assert!(complete(&mut input, "1234567890123456,\n").is_empty());
        }
        assert_eq!(complete(&mut input, "0]\n")[0].as_array().unwrap().len(), lines + 1);
    }

    #[test]
    fn a_string_that_a_line_break_cuts_off_is_found_at_once() {
        let mut input = input();
        input.push("{\"a: 1}\n");
        assert_eq!(input.next().unwrap_err().line, 1);
    }

    #[test]
    fn a_value_that_is_cut_off_is_an_error_at_the_end() {
        let mut input = input();
        assert!(complete(&mut input, "{}\n{\"a\": [1,\n\n").len() == 1);
        let error = input.finish().unwrap_err();
        assert!(error.reason.contains("EOF"));
        assert_eq!((error.line, error.column), (2, 9));
    }
}
