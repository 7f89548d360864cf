use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

/// A bearer's text that was verified.
pub(crate) trait Remembered {
    /// The whole text.
    fn text(&self) -> &str;

    /// Whether the text will not be accepted again, at this time in seconds since 1970.
    fn is_over(&self, now: u64) -> bool;
}

/// Texts whose signatures were verified lately, by the last characters of each: these are of a secret key or of a signature, so
/// they differ from text to text, and a caller that does not have them does not reach the comparison of the rest.
#[derive(Debug)]
pub(crate) struct Cache<T>(RwLock<Texts<T>>);

#[derive(Debug)]
struct Texts<T> {
    by_tail: HashMap<Tail, Arc<T>>,
    /// The size of the texts.
    bytes: usize,
}

/// The last characters of a text, of 6 bits each. They are of the 32 bytes of secret key, or of a signature, which has more.
type Tail = [u8; 22];

/// How many bytes of texts are known at a time, those of some thousand tokens. A holder can make any number of narrower ones.
const MOST: usize = 4 << 20;

impl<T: Remembered> Cache<T> {
    /// What is known of this text, which need not be looked at for that.
    pub(crate) fn get(&self, text: &[u8]) -> Option<Arc<T>> {
        let tail = tail(text)?;
        let texts = self.0.read();
        texts.by_tail.get(tail).filter(|known| known.text().as_bytes() == text).cloned()
    }

    /// Keeps a verified text. What is over by now makes room for it, or else everything.
    pub(crate) fn insert(&self, known: Arc<T>, now: u64) {
        let Some(tail) = tail(known.text().as_bytes()) else { return };
        let size = known.text().len();
        let mut texts = self.0.write();
        if texts.bytes + size > MOST {
            texts.make_room(now, size);
        }
        texts.bytes += size;
        if let Some(before) = texts.by_tail.insert(*tail, known.clone()) {
            texts.bytes -= before.text().len();
        }
    }
}

impl<T: Remembered> Texts<T> {
    fn make_room(&mut self, now: u64, size: usize) {
        self.by_tail.retain(|_, known| !known.is_over(now));
        self.bytes = self.by_tail.values().map(|known| known.text().len()).sum();
        // Half of the room, so that this does not happen at each text.
        if self.bytes + size > MOST / 2 {
            self.by_tail.clear();
            self.bytes = 0;
        }
    }
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(RwLock::new(Texts { by_tail: HashMap::new(), bytes: 0 }))
    }
}

fn tail(text: &[u8]) -> Option<&Tail> {
    text.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Until(String, u64);

    impl Remembered for Until {
        fn text(&self) -> &str {
            &self.0
        }

        fn is_over(&self, now: u64) -> bool {
            now >= self.1
        }
    }

    fn text(number: usize) -> String {
        format!("{}{number:042}", "a".repeat(4_000))
    }

    #[test]
    fn a_text_is_known_by_all_of_its_characters() {
        let cache = Cache::default();
        cache.insert(Arc::new(Until(text(1), 9)), 0);
        assert!(cache.get(text(1).as_bytes()).is_some());
        assert!(cache.get(text(1).replacen('a', "b", 1).as_bytes()).is_none());
        assert!(cache.get(b"short").is_none());
    }

    #[test]
    fn what_is_over_makes_room_and_the_size_is_bounded() {
        let cache = Cache::default();
        let fits = MOST / text(0).len();
        cache.insert(Arc::new(Until(text(0), u64::MAX)), 0);
        (1..fits).for_each(|number| cache.insert(Arc::new(Until(text(number), 5)), 0));
        assert!(cache.get(text(1).as_bytes()).is_some(), "they fit");
        cache.insert(Arc::new(Until(text(fits), u64::MAX)), 5);
        assert!(cache.get(text(0).as_bytes()).is_some() && cache.get(text(1).as_bytes()).is_none());
        (0..4 * fits).for_each(|number| cache.insert(Arc::new(Until(text(number), u64::MAX)), 5));
        let texts = cache.0.read();
        assert!(texts.bytes <= MOST);
        assert_eq!(texts.bytes, texts.by_tail.values().map(|known| known.0.len()).sum::<usize>());
    }
}
