//! Options that the commands of the built-in services share.

use std::path::PathBuf;

use polywire::{ConnectOptions, cli::CommandError};

/// The connect options of a command, with its file of certificate authorities, if any.
///
/// # Errors
/// When the file cannot be used; this is not the status of a call.
pub(crate) fn connect_options(ca: Option<PathBuf>) -> Result<ConnectOptions, CommandError> {
    let Some(file) = ca else { return Ok(ConnectOptions::new()) };
    let options = ConnectOptions::new().ca_file(file);
    options.check_ca_file().map_err(|status| CommandError::Other(status.message().to_owned().into()))?;
    Ok(options)
}
