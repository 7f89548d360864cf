//! The configuration as a commented TOML file.

use super::{
    Config,
    error::{ConfigError, Problem},
    outlines::outlines,
    registered,
};
use polywire_core::settings::Outline;
use std::fmt::Write as _;
use toml::{Table, Value};

impl Config {
    /// The configuration as TOML: every key with its documentation, including defaults. Unset keys are comments. The text
    /// loads again as the same configuration.
    ///
    /// # Errors
    /// If TOML cannot represent a value, which only a program can set.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        let values = self.values().map_err(|error| {
            ConfigError::new(vec![Problem {
                origin: None,
                key: String::new(),
                message: format!("cannot be written as TOML: {error}"),
            }])
        })?;
        let mut text = String::new();
        for section in outlines().iter().filter(|section| !section.path.is_empty()) {
            let parts = section.path.split('.');
            let inside = parts.into_iter().try_fold(&values, |value, part| value.get(part));
            print_section(section, inside, &mut text);
        }
        Ok(text)
    }
}

impl Config {
    /// All values, including those of registered transports and their defaults.
    pub(super) fn values(&self) -> Result<Value, toml::ser::Error> {
        let mut values = Table::try_from(self)?;
        let transports = values.entry("transport").or_insert_with(|| Table::new().into());
        for transport in registered::transports() {
            let name = transport.dyn_name();
            let set = self.transport.section(name);
            let section = transport.read(&set, &mut |_| ()).unwrap_or(set);
            if let Value::Table(transports) = transports {
                transports.insert(name.to_owned(), section.into());
            }
        }
        Ok(values.into())
    }
}

fn print_section(section: &Outline, values: Option<&Value>, text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
    print_doc(section.doc, text);
    let _ = writeln!(text, "[{}]", section.path);
    for key in &section.keys {
        print_doc(key.doc, text);
        let _ = match values.and_then(|values| values.get(key.name)) {
            Some(value) => writeln!(text, "{} = {value}", key.name),
            None => writeln!(text, "# {} = {}", key.name, key.example),
        };
    }
}

/// Prints the first paragraph; the rest is for readers of the code.
fn print_doc(lines: &[&str], text: &mut String) {
    for line in lines.iter().take_while(|line| !line.is_empty()) {
        let _ = writeln!(text, "#{}", line.replace('`', ""));
    }
}
