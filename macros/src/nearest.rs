/// The candidate that a misspelt word most likely meant, if any is close.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3 || related(word, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether one word is a shortened form of the other.
fn related(word: &str, candidate: &str) -> bool {
    word.len() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate))
}

/// The Levenshtein distance, by rows of the usual table.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, left) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, right) in to.chars().enumerate() {
            let substituted = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 4] = ["idempotent", "timeout", "name", "max_message_bytes"];

    #[test]
    fn a_misspelt_or_shortened_word_finds_what_it_meant() {
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

    #[test]
    fn the_distance_counts_insertions_deletions_and_substitutions() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
