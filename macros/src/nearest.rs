use strsim::levenshtein;

/// The candidate nearest to a misspelt word; `None` if no candidate is close.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3 || related(word, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether one word is a shortened form of the other.
fn related(word: &str, candidate: &str) -> bool {
    word.len() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 4] = ["idempotent", "timeout", "name", "max_message_bytes"];

    #[test]
    fn a_misspelt_or_shortened_word_finds_the_nearest_candidate() {
        let cases = [
            ("idempotant", Some("idempotent")),
            ("time_out", Some("timeout")),
            ("names", Some("name")),
            ("max_message_size", Some("max_message_bytes")),
            ("max", Some("max_message_bytes")),
            ("deadline", None),
        ];
        for (word, meant) in cases {
            assert_eq!(nearest(word, WORDS.into_iter()), meant, "{word}");
        }
    }
}
