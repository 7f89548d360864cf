//! What the commands of the built-in services have in common.

use std::path::PathBuf;

use polywire::{ConnectOptions, cli::CommandError};

/// How a command connects that was given this file of certificate authorities, or none.
///
/// # Errors
/// When the file cannot be used: that is no failure of a call.
pub(crate) fn connect_options(ca: Option<PathBuf>) -> Result<ConnectOptions, CommandError> {
    let Some(file) = ca else { return Ok(ConnectOptions::new()) };
    let options = ConnectOptions::new().ca_file(file);
    options.check_ca_file().map_err(|status| CommandError::Other(status.message().to_owned().into()))?;
    Ok(options)
}
