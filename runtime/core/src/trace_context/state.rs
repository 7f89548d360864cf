//! The header `tracestate`:
//! [W3C Trace Context Level 2, section 3.3](https://www.w3.org/TR/trace-context-2/#tracestate-header).

/// How many members a list may have.
const MEMBERS: usize = 32;

/// How long a key may be, and a value.
const LENGTH: usize = 256;

/// Whether this is a list of members `key=value`, each key once. Empty members are allowed.
pub(super) fn is_valid(list: &str) -> bool {
    let mut keys = Vec::new();
    list.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()).all(
        |member| {
            let Some((key, value)) = member.split_once('=') else { return false };
            let valid = is_key(key) && is_value(value) && !keys.contains(&key) && keys.len() < MEMBERS;
            keys.push(key);
            valid
        },
    )
}

fn is_key(key: &str) -> bool {
    let rest = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let mut bytes = key.bytes();
    key.len() <= LENGTH
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit())
        && bytes.all(rest)
}

/// Printable ASCII; that the last is no space, trimming the member has seen to.
fn is_value(value: &str) -> bool {
    let printable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    !value.is_empty() && value.len() <= LENGTH && value.bytes().all(printable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specifications_examples_are_valid() {
        for list in [
            "rojo=00f067aa0ba902b7",
            "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
            "fw529a3039@dt=FfAAAA, 2nd_key-*/x=a b",
            "",
            " , ",
        ] {
            assert!(is_valid(list), "{list}");
        }
    }

    #[test]
    fn what_is_no_list_is_not() {
        let many: Vec<_> = (0..33).map(|number| format!("k{number}=1")).collect();
        for list in [
            "rojo",
            "=1",
            "rojo=",
            "Rojo=1",
            "rojo=1=2",
            "rojo=1,rojo=2",
            "_rojo=1",
            "rojo =1",
            "rojo=\u{e9}",
            &many.join(","),
        ] {
            assert!(!is_valid(list), "{list}");
        }
        assert!(is_valid(&many[..32].join(",")));
        assert!(is_valid(&format!("a={}", "x".repeat(LENGTH))));
        assert!(!is_valid(&format!("a={}", "x".repeat(LENGTH + 1))));
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_judged(list in "\\PC*") {
            is_valid(&list);
        }
    }
}
