use std::{fmt, path::PathBuf};

use crate::transport::Scheme;

pub(super) const SCHEME: Scheme = Scheme { name: "unix", form: "unix:///path/to/socket" };

/// How many bytes the path of a socket may have: `sun_path` has 108 on Linux, the last of which is zero
/// ([unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)); elsewhere fewer.
const MAX_PATH: usize = 107;

/// Where a socket is: `unix:///path/to/socket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(PathBuf);

impl Address {
    /// The socket at this path, which is absolute: a target means the same wherever it is read.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, String> {
        let path = path.into();
        let length = path.as_os_str().len();
        if length == 0 {
            return Err("the path is missing".to_owned());
        }
        if !path.is_absolute() {
            return Err(format!("the path {} is not absolute", path.display()));
        }
        if length > MAX_PATH {
            return Err(format!("the path has {length} bytes, and a socket's has at most {MAX_PATH}"));
        }
        Ok(Self(path))
    }

    /// The path.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", SCHEME.name, self.0.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_path_is_said() {
        assert_eq!(Address::new("/run/a b.sock").unwrap().to_string(), "unix:///run/a b.sock");
        assert_eq!(Address::new("").unwrap_err(), "the path is missing");
        assert_eq!(Address::new("run/a.sock").unwrap_err(), "the path run/a.sock is not absolute");
        let long = format!("/{}", "a".repeat(107));
        assert_eq!(Address::new(long).unwrap_err(), "the path has 108 bytes, and a socket's has at most 107");
    }
}
