use std::hash::{Hash, Hasher};

use super::Side;

/// A method on a transport, recognised by where its names lie.
///
/// Comparing addresses instead of text makes a lookup independent of the names' length. Equal text at two
/// addresses is two keys, which costs a second entry and counts the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    side: Side,
    names: [(usize, usize); 3],
}

impl Key {
    /// The length belongs to it: linkers let a string share its beginning or its end with a longer one.
    pub(super) fn of(side: Side, names: [&'static str; 3]) -> Self {
        Self { side, names: names.map(|name| (name.as_ptr().addr(), name.len())) }
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }
}

/// The odd number nearest to 2⁶⁴ over the golden ratio, of Knuth's multiplicative hashing.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hash for Key {
    /// One word for the map's hasher instead of seven. No peer chooses addresses, so nobody can make them collide.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mixed = self.names.iter().fold(self.side as u64, |mixed, (address, length)| {
            (mixed.rotate_left(5) ^ (*address as u64) ^ ((*length as u64) << 48)).wrapping_mul(SPREAD)
        });
        state.write_u64(mixed);
    }
}
