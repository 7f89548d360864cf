//! The sections of the whole configuration, by their declarations.

use polywire_core::settings::{Key, Outline, Section as _};

use super::{Config, registered};

/// A key by its dotted name.
pub(super) fn find<'a>(name: &str, outlines: &'a [Outline]) -> Option<&'a Key> {
    let mut all = outlines.iter().flat_map(Outline::full_keys);
    all.find_map(|(full, key)| (full == name).then_some(key))
}

/// All sections of the configuration, the file's top first, those of registered transports last.
pub(super) fn outlines() -> Vec<Outline> {
    let mut all = Vec::new();
    Config::outline("", &[], &mut all);
    for transport in registered::transports() {
        transport.outline(&registered::path(&*transport), &mut all);
    }
    all
}
