//! Files with secrets, which only their owner may read.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

/// Checks that a file with a secret key is closed to all users but its owner.
///
/// # Errors
/// If it cannot be looked at, or its mode lets its group or others read, write or execute it; the message has the mode.
pub fn check(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let problem = format!("readable by others (mode {mode:04o}); expected mode 0600");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_its_group_or_others_can_open_is_refused_with_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "secret").unwrap();
        for (mode, closed) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let told = check(&path).map_err(|error| error.to_string());
            let expected = format!("readable by others (mode {mode:04o}); expected mode 0600");
            assert_eq!(told, if closed { Ok(()) } else { Err(expected) });
        }
    }
}
