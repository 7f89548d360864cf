//! Suggestions for unknown keys.

use super::outlines::outlines;
use polywire_core::settings::Outline;
use strsim::damerau_levenshtein;

/// The error for an unknown key or section, with the nearest known one.
///
/// The last part of the name decides, so that a key in the wrong section is found too; among equals the nearest section
/// wins.
pub(super) fn suggest(unknown: &str, is_section: bool, outlines: &[Outline]) -> String {
    let sections = || outlines.iter().map(|section| section.path.clone());
    let keys = || outlines.iter().flat_map(Outline::full_keys).map(|(key, _)| key);
    let (noun, nearest) = if is_section {
        ("section", nearest(unknown, sections()))
    } else {
        ("key", nearest(unknown, keys()))
    };
    match nearest {
        Some(known) => format!("unknown {noun}; did you mean `{known}`?"),
        None => format!("unknown {noun}; expected {}", neighbours(unknown, outlines)),
    }
}

/// The known key nearest to this one; `None` if none is close.
pub(crate) fn nearest_key(unknown: &str) -> Option<String> {
    nearest(unknown, outlines().iter().flat_map(Outline::full_keys).map(|(key, _)| key))
}

fn nearest(unknown: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let (parent, name) = split(unknown);
    known
        .filter_map(|known| {
            let (known_parent, known_name) = split(&known);
            let far = distance(name, known_name)?;
            Some(((far, damerau_levenshtein(parent, known_parent)), known))
        })
        .min()
        .map(|(_, known)| known)
}

/// The distance of two names; `None` if they are not close.
fn distance(unknown: &str, known: &str) -> Option<usize> {
    let edits = damerau_levenshtein(unknown, known);
    let part = unknown.len() >= 4 && known.contains(unknown);
    if edits <= (unknown.len() / 3).max(1) {
        Some(edits)
    } else {
        // A part of a name, such as `relay`, is a weaker hint than a typo.
        part.then_some(usize::MAX)
    }
}

fn neighbours(unknown: &str, outlines: &[Outline]) -> String {
    let (parent, _) = split(unknown);
    let here = outlines.iter().filter(|section| section.path == parent);
    let keys = here.flat_map(|section| section.keys.iter().map(|key| key.name));
    let below = outlines.iter().filter(|section| !section.path.is_empty());
    let sections = below.filter_map(|section| match split(&section.path) {
        (above, name) if above == parent => Some(name),
        _ => None,
    });
    let names: Vec<String> = keys.chain(sections).map(|name| format!("`{name}`")).collect();
    match parent {
        "" => format!("one of {}", names.join(", ")),
        _ => format!("one of {} in [{parent}]", names.join(", ")),
    }
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(unknown: &str) -> String {
        suggest(unknown, false, &outlines())
    }

    #[test]
    fn a_slip_of_the_finger_is_corrected_within_the_section() {
        assert_eq!(
            key("transport.grpc.bind_adress"),
            "unknown key; did you mean `transport.grpc.bind_address`?"
        );
        assert_eq!(
            key("transport.iroh.max_connection"),
            "unknown key; did you mean `transport.iroh.max_connections`?"
        );
    }

    #[test]
    fn a_key_of_another_section_is_found_there() {
        let found = "unknown key; did you mean `transport.iroh.discovery_port`?";
        assert_eq!(key("transport.grpc.discovery_port"), found);
        assert_eq!(key("mode"), "unknown key; did you mean `transport.mode`?");
        assert_eq!(key("http.relay"), "unknown key; did you mean `transport.iroh.home_relay`?");
    }

    #[test]
    fn a_section_is_compared_with_sections() {
        let section = |unknown| suggest(unknown, true, &outlines());
        assert_eq!(section("grpc"), "unknown section; did you mean `transport.grpc`?");
        assert_eq!(section("trasport"), "unknown section; did you mean `transport`?");
    }

    #[test]
    fn what_resembles_nothing_gets_the_list() {
        assert_eq!(key("http.colour"), "unknown key; expected one of `enabled`, `bind_address` in [http]");
        let pigeons = suggest("transport.pigeons", true, &outlines());
        let list = "unknown section; expected one of `mode`, `grpc`, `iroh`, `strategy`";
        assert!(pigeons.starts_with(list) && pigeons.ends_with(" in [transport]"), "{pigeons}");
        let top = key("colour");
        assert!(top.contains("one of `node`, `transport`, `http`"), "{top}");
    }
}
