//! A section of a configuration, read with the places of what is wrong and unknown in it.

use serde::de::DeserializeOwned;
use serde_path_to_error::Track;
use toml::{Table, Value};

/// Serde's error, with its place.
pub(crate) type ReadError = serde_path_to_error::Error<toml::de::Error>;

/// Reads the values of a section, and passes unknown keys to `unknown`.
pub(crate) fn read_section<T: DeserializeOwned>(
    table: &Table,
    unknown: &mut dyn FnMut(String),
) -> Result<T, ReadError> {
    let mut track = Track::new();
    let values = Value::Table(table.clone());
    let source = serde_path_to_error::Deserializer::new(values, &mut track);
    serde_ignored::deserialize(source, |path| unknown(path.to_string()))
        .map_err(|error| ReadError::new(track.path(), error))
}
