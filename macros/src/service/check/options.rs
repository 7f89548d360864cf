use syn::{LitInt, LitStr};

use super::{
    super::model::Options,
    access::{self, Class},
};
use crate::{errors::Errors, words::Words};

/// The options of one method of a service of this class.
pub(super) fn options(words: &Words, service: Option<Class>, errors: &mut Errors) -> Options {
    Options {
        idempotent: words.flag("idempotent", errors),
        timeout_millis: words.string("timeout", errors).and_then(|text| timeout(&text, errors)),
        max_message_bytes: words.integer("max_message_bytes", errors).and_then(|bytes| limit(&bytes, errors)),
        access: access::class(words, errors).or(service).and_then(Class::variant),
    }
}

fn timeout(text: &LitStr, errors: &mut Errors) -> Option<u64> {
    match millis(&text.value()) {
        Some(0) => errors.push(text, "a timeout of 0 fails every call: write at least `1ms`, or no timeout"),
        Some(millis) => return Some(millis),
        None => errors.push(text, "a timeout is an integer and `ms`, `s`, `m` or `h`, like `5s`"),
    }
    None
}

fn limit(bytes: &LitInt, errors: &mut Errors) -> Option<usize> {
    match bytes.base10_parse() {
        Ok(0) => {
            errors.push(bytes, "a limit of 0 bytes refuses every message: write at least 1, or no limit")
        }
        Ok(limit) => return Some(limit),
        Err(_) => errors.push(bytes, "a limit is a number of bytes, like `65536`"),
    }
    None
}

/// `None` for malformed text, and for a timeout whose milliseconds do not fit 64 bits.
fn millis(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_an_integer_and_a_unit() {
        let cases = [("250ms", 250), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0)];
        for (text, expected) in cases {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        for text in
            ["", "5", "s", "5 s", "1.5s", "-1s", "5S", "5d", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
