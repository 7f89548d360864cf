//! Durations as people write them, `10s` or `500ms`: `Type as "polywire::config::duration"` in
//! [`section!`](crate::section).

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// A key whose value is a duration, set or not.
pub trait DurationSetting: Sized {
    #[doc(hidden)]
    fn duration(&self) -> Option<Duration>;

    #[doc(hidden)]
    fn from_duration(duration: Duration) -> Self;
}

impl DurationSetting for Duration {
    fn duration(&self) -> Option<Duration> {
        Some(*self)
    }

    fn from_duration(duration: Duration) -> Self {
        duration
    }
}

impl DurationSetting for Option<Duration> {
    fn duration(&self) -> Option<Duration> {
        *self
    }

    fn from_duration(duration: Duration) -> Self {
        Some(duration)
    }
}

/// For serde's `with`.
///
/// # Errors
/// Those of the format.
pub fn serialize<D: DurationSetting, S: Serializer>(setting: &D, serializer: S) -> Result<S::Ok, S::Error> {
    match setting.duration() {
        Some(duration) => serializer.collect_str(&humantime::format_duration(duration)),
        None => serializer.serialize_none(),
    }
}

/// For serde's `with`.
///
/// # Errors
/// Those of the format, and where the text is no duration.
pub fn deserialize<'de, T: DurationSetting, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(T::from_duration).map_err(D::Error::custom)
}
