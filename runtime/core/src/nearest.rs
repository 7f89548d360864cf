//! What a name was probably meant to be.

use strsim::damerau_levenshtein;

/// How far two names are apart, capitals aside; `None` where they are not alike.
pub fn distance(unknown: &str, known: &str) -> Option<usize> {
    let edits = damerau_levenshtein(&unknown.to_lowercase(), &known.to_lowercase());
    // A slip of the finger in three letters.
    (edits <= (unknown.len() / 3).max(1)).then_some(edits)
}

/// The nearest of the known names; `None` where none is alike.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.into_iter().filter_map(|known| Some((distance(unknown, known)?, known)));
    alike.min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_corrected_and_nothing_far_fetched_is_offered() {
        let known = ["grpc", "grpcs", "iroh", "quic"];
        for (unknown, meant) in [
            ("gprc", Some("grpc")),
            ("GRPC", Some("grpc")),
            ("grcps", Some("grpcs")),
            ("quik", Some("quic")),
            ("pigeon", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, known), meant, "{unknown}");
        }
    }
}
