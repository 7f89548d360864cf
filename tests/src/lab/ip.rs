use std::process::{Command, Stdio};

use super::Unavailable;

/// What `ip` prints, given these words.
///
/// # Errors
/// When it is not there, or fails.
pub(super) fn ip(words: &str) -> Result<String, Unavailable> {
    let what = format!("ip {words}");
    let output = Command::new("ip").args(words.split(' ')).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Unavailable::because(&what, error))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Unavailable::because(&what, String::from_utf8_lossy(&output.stderr).trim())),
    }
}
