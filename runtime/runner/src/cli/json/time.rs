//! `google.protobuf.Timestamp` and `google.protobuf.Duration`.

use prost_reflect::prost_types::{Duration, Timestamp};

/// The range of a timestamp: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
const TIMESTAMPS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// The longest duration: 10,000 years, in seconds.
const LONGEST: i64 = 315_576_000_000;

const NANOS: i32 = 1_000_000_000;

pub(super) fn read_timestamp(text: &str) -> Option<Timestamp> {
    let (time, zone) = text.split_at(text.rfind(['Z', '+', '-']).filter(|at| *at >= SECONDS.len())?);
    let (seconds, fraction) = time.split_at_checked(SECONDS.len())?;
    let digits = fraction.strip_prefix('.');
    let is_fraction = digits.map_or(fraction.is_empty(), |digits| nanos(digits).is_some());
    if !fits(seconds, SECONDS)
        // A timestamp has no leap seconds.
        || seconds.ends_with(":60")
        || !is_fraction
        || !(zone == "Z" || fits(zone, "+00:00") || fits(zone, "-00:00"))
    {
        return None;
    }
    let parsed: Timestamp = format!("{seconds}{zone}").parse().ok()?;
    let timestamp = Timestamp { nanos: nanos(digits.unwrap_or("0"))?, ..parsed };
    TIMESTAMPS.contains(&timestamp.seconds).then_some(timestamp)
}

/// The format of RFC 3339 up to the seconds, in upper case.
const SECONDS: &str = "0000-00-00T00:00:00";

/// Whether the text matches the format, in which `0` stands for any digit.
fn fits(text: &str, form: &str) -> bool {
    let alike = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(alike)
}

/// The one to nine digits behind the point.
fn nanos(digits: &str) -> Option<i32> {
    let well = (1..=9).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    well.then(|| format!("{digits:0<9}").parse().ok()).flatten()
}

pub(super) fn read_duration(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('s')?;
    let (text, sign) = text.strip_prefix('-').map_or((text, 1), |text| (text, -1));
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = !seconds.is_empty() && seconds.bytes().all(|digit| digit.is_ascii_digit());
    let seconds = seconds.parse::<i64>().ok().filter(|seconds| digits && *seconds <= LONGEST)?;
    Some(Duration { seconds: sign * seconds, nanos: i32::try_from(sign).ok()? * nanos(fraction)? })
}

/// # Errors
/// If it is out of range, as it then has no JSON form.
pub(super) fn write_timestamp(timestamp: &Timestamp) -> Result<String, &'static str> {
    if !TIMESTAMPS.contains(&timestamp.seconds) || !(0..NANOS).contains(&timestamp.nanos) {
        return Err("the timestamp is out of range");
    }
    let whole = Timestamp { nanos: 0, ..*timestamp }.to_string();
    Ok(format!("{}{}Z", whole.trim_end_matches('Z'), fraction(timestamp.nanos)))
}

/// # Errors
/// If it is out of range, as it then has no JSON form.
pub(super) fn write_duration(duration: &Duration) -> Result<String, &'static str> {
    let (seconds, nanos) = (duration.seconds, duration.nanos);
    let one_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    if seconds.unsigned_abs() > LONGEST.unsigned_abs()
        || nanos.unsigned_abs() >= NANOS.unsigned_abs()
        || !one_sign
    {
        return Err("the duration is out of range");
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    Ok(format!("{sign}{}{}s", seconds.unsigned_abs(), fraction(nanos)))
}

/// The fraction of a second: empty, or three, six or nine digits.
fn fraction(nanos: i32) -> String {
    match nanos.unsigned_abs() {
        0 => String::new(),
        nanos if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
        nanos => format!(".{nanos:09}"),
    }
}
