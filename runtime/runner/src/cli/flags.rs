//! Configuration keys among the arguments.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
};

use super::failure::Failure;

/// Configuration keys and their values, as they were given.
pub(super) type Flags = Vec<(String, OsString)>;

/// Takes `--key.path=value` and `--key.path value` out of the arguments: those that begin with `--` and
/// have a dot before any `=`. Clap, which wants to know every flag beforehand, sees the others. What
/// follows a bare `--` is left alone.
pub(super) fn split(arguments: Vec<OsString>) -> Result<(Vec<OsString>, Flags), Failure> {
    let mut others = Vec::new();
    let mut flags = Flags::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            others.push(argument);
            others.extend(arguments);
            break;
        }
        match key(&argument) {
            None => others.push(argument),
            Some((key, Some(value))) => flags.push((key.to_owned(), value.to_owned())),
            Some((key, None)) => flags.push((key.to_owned(), following(key, arguments.next())?)),
        }
    }
    Ok((others, flags))
}

/// The configuration key that the argument names, and the value where it has one.
fn key(argument: &OsStr) -> Option<(&str, Option<&OsStr>)> {
    let flag = argument.as_bytes().strip_prefix(b"--")?;
    let (key, value) = match flag.iter().position(|byte| *byte == b'=') {
        Some(end) => (&flag[..end], Some(OsStr::from_bytes(&flag[end + 1..]))),
        None => (flag, None),
    };
    let key = str::from_utf8(key).ok()?;
    let named = key.contains('.') && !key.contains(char::is_whitespace);
    named.then_some((key, value))
}

fn following(key: &str, value: Option<OsString>) -> Result<OsString, Failure> {
    let value = value.filter(|value| !value.as_bytes().starts_with(b"--"));
    value.ok_or_else(|| {
        Failure::usage(format!("--{key} has no value; expected --{key}=VALUE or --{key} VALUE"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_text(arguments: &str) -> Result<(String, Flags), Failure> {
        let (others, flags) = split(arguments.split(' ').map(OsString::from).collect())?;
        let others: Vec<_> = others.iter().map(|other| other.to_str().unwrap()).collect();
        Ok((others.join(" "), flags))
    }

    fn flag(key: &str, value: &str) -> (String, OsString) {
        (key.to_owned(), value.into())
    }

    #[test]
    fn keys_are_taken_out_in_both_forms_and_in_order() {
        let (others, flags) =
            split_text("node serve --a.b=1 --json --transport.mode dual --config x --a.b= --c.d=e=f")
                .unwrap();
        assert_eq!(others, "node serve --json --config x");
        let expected =
            [flag("a.b", "1"), flag("transport.mode", "dual"), flag("a.b", ""), flag("c.d", "e=f")];
        assert_eq!(flags, expected);
    }

    #[test]
    fn a_dot_behind_the_equals_sign_makes_no_key() {
        let (others, flags) =
            split_text("node serve --config=node.toml node.toml -H --timeout=1.5s").unwrap();
        assert_eq!(others, "node serve --config=node.toml node.toml -H --timeout=1.5s");
        assert!(flags.is_empty());
    }

    #[test]
    fn a_key_without_a_value_is_bad_usage() {
        for arguments in ["node serve --a.b", "node serve --a.b --json", "node serve --a.b --c.d=1"] {
            assert!(
                matches!(split_text(arguments), Err(Failure::Usage(text)) if text.contains("--a.b=VALUE"))
            );
        }
    }

    #[test]
    fn a_negative_number_is_a_value() {
        assert_eq!(split_text("node serve --a.b -1").unwrap().1, [flag("a.b", "-1")]);
    }

    #[test]
    fn a_value_need_not_be_unicode() {
        let value = OsStr::from_bytes(b"x\xff");
        let joined = [b"--a.b=".as_slice(), value.as_bytes()].concat();
        for arguments in [vec![OsStr::from_bytes(&joined)], vec![OsStr::new("--a.b"), value]] {
            let (others, flags) = split(arguments.into_iter().map(OsStr::to_owned).collect()).unwrap();
            assert_eq!((others.len(), flags), (0, vec![("a.b".to_owned(), value.to_owned())]));
        }
    }

    #[test]
    fn what_follows_two_dashes_is_left_alone() {
        let (others, flags) = split_text("node call -- --a.b=1").unwrap();
        assert_eq!(others, "node call -- --a.b=1");
        assert!(flags.is_empty());
    }
}
