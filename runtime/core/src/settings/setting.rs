//! The accepted values of each type, as a text and as a check.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::{AlpnName, Codec, ShortName};

/// The type of a key.
///
/// Each type of the standard library stands for one quantity, so that a range belongs to a type: `u32` is a count,
/// `usize` a size in memory, `u64` a size on disk, `u16` a port, `f64` a share.
pub trait Setting {
    /// The accepted values, worded to follow "expected".
    const EXPECTED: &'static str;

    /// The same for an element, if the value is a list.
    const ELEMENT: &'static str = Self::EXPECTED;

    /// A TOML value to show for an unset key.
    const EXAMPLE: &'static str = "";

    /// Whether the value is in range.
    fn in_range(&self) -> bool {
        true
    }
}

/// The upper bound of message sizes, 1 GiB: far above a sensible message, and within a 32-bit length.
pub const MAX_MESSAGE_SIZE: usize = 1 << 30;

/// One year: longer durations are mistakes, and adding them to a clock could overflow.
pub const MAX_DURATION: Duration = Duration::from_secs(31_557_600);

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";
}

impl Setting for u16 {
    const EXPECTED: &'static str = "a port from 0 to 65535, 0 for any free one";
}

impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number from 1 to 4294967295";

    fn in_range(&self) -> bool {
        *self > 0
    }
}

impl Setting for u64 {
    const EXPECTED: &'static str = "a number of bytes from 0 to 9223372036854775807";

    // TOML's integers are signed.
    fn in_range(&self) -> bool {
        i64::try_from(*self).is_ok()
    }
}

impl Setting for usize {
    const EXPECTED: &'static str = "a number of bytes from 1 to 1073741824";

    fn in_range(&self) -> bool {
        (1..=MAX_MESSAGE_SIZE).contains(self)
    }
}

impl Setting for f64 {
    const EXPECTED: &'static str = "a share from 0 to 1";

    fn in_range(&self) -> bool {
        (0.0..=1.0).contains(self)
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration above zero and up to a year, such as \"10s\" or \"500ms\"";

    fn in_range(&self) -> bool {
        !self.is_zero() && *self <= MAX_DURATION
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str =
        "an IP address and a port such as \"127.0.0.1:7001\" or \"[::1]:0\", port 0 for any free one";
}

impl Setting for IpAddr {
    const EXPECTED: &'static str = "an IP address without a port, such as \"127.0.0.1\" or \"::\"";
    const EXAMPLE: &'static str = "\"127.0.0.1\"";
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";
    const EXAMPLE: &'static str = "\"path/to/file.pem\"";

    fn in_range(&self) -> bool {
        !self.as_os_str().is_empty()
    }
}

#[cfg(any(feature = "iroh", feature = "settings"))]
impl Setting for url::Url {
    const EXPECTED: &'static str = "an http or https URL such as \"https://relay.example\"";
    const EXAMPLE: &'static str = "\"https://relay.example\"";

    fn in_range(&self) -> bool {
        matches!(self.scheme(), "http" | "https") && self.has_host()
    }
}

impl Setting for String {
    const EXPECTED: &'static str = "text";
    const EXAMPLE: &'static str = "\"text\"";
}

impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const EXAMPLE: &'static str = T::EXAMPLE;

    fn in_range(&self) -> bool {
        self.as_ref().is_none_or(T::in_range)
    }
}

impl Setting for Vec<ShortName> {
    const EXPECTED: &'static str = "a list of service short names such as [\"health\", \"status\"]";
    const ELEMENT: &'static str = "a service short name such as \"health\"";
}

impl Setting for Codec {
    const EXPECTED: &'static str = "\"msgpack\" or \"protobuf\"";
}

impl Setting for Vec<AlpnName> {
    const EXPECTED: &'static str = "a list of names prefix/short_name/major such as [\"blixard/health/1\"]";
    const ELEMENT: &'static str = "a name prefix/short_name/major such as \"blixard/health/1\"";
}
