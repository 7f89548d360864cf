use std::time::Duration;

/// The value of a `grpc-timeout` header: at most eight digits and a unit. Rounded up, for a server should
/// not give up before its client does.
pub(super) fn format(timeout: Duration) -> String {
    const UNITS: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60 * 1_000_000_000, 'M'),
        (3_600 * 1_000_000_000, 'H'),
    ];
    let nanos = timeout.as_nanos();
    let fitting = UNITS
        .iter()
        .map(|(unit, letter)| (nanos.div_ceil(*unit), letter))
        .find(|(count, _)| *count < 100_000_000);
    match fitting {
        Some((count, letter)) => format!("{count}{letter}"),
        None => "99999999H".to_owned(),
    }
}

/// Reads the value of a `grpc-timeout` header; `None` where it is malformed.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    Some(match unit {
        "n" => Duration::from_nanos(count),
        "u" => Duration::from_micros(count),
        "m" => Duration::from_millis(count),
        "S" => Duration::from_secs(count),
        "M" => Duration::from_secs(count * 60),
        "H" => Duration::from_secs(count * 3600),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_takes_the_finest_unit_that_fits_eight_digits() {
        let cases =
            [(0, "0n"), (99_999_999, "99999999n"), (100_000_000, "100000u"), (5_000_000_000_000, "5000000m")];
        for (nanos, text) in cases {
            assert_eq!(format(Duration::from_nanos(nanos)), text);
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)));
        }
        assert_eq!(format(Duration::MAX), "99999999H");
    }

    #[test]
    fn what_is_no_timeout_is_not_read_as_one() {
        for text in ["", "S", "5", "5s", "-1S", "123456789S", "1 S", "1é"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
