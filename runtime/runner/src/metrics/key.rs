use std::hash::{Hash, Hasher};

use super::Side;

/// A method on a transport, identified by the addresses of its names.
///
/// Comparing addresses instead of text makes lookups independent of the length of names. Equal text at two addresses
/// gives two keys, which costs a second entry for the same counters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    side: Side,
    names: [(usize, usize); 3],
}

impl Key {
    /// The length is part of the key, as linkers may merge a string with the start or end of a longer one.
    pub(super) fn of(side: Side, names: [&'static str; 3]) -> Self {
        Self { side, names: names.map(|name| (name.as_ptr().addr(), name.len())) }
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }
}

/// The odd number nearest to 2⁶⁴ divided by the golden ratio, from Knuth's multiplicative hashing.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hash for Key {
    /// Gives the map's hasher one word instead of seven. Peers do not choose addresses, so they cannot cause collisions.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mixed = self.names.iter().fold(self.side as u64, |mixed, (address, length)| {
            (mixed.rotate_left(5) ^ (*address as u64) ^ ((*length as u64) << 48)).wrapping_mul(SPREAD)
        });
        state.write_u64(mixed);
    }
}
