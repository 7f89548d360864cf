/// Chance that falls the same way for the same seed: SplitMix64, from Steele, Lea and Flood, ["Fast splittable
/// pseudorandom number generators"](https://doi.org/10.1145/2714064.2660195).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly spread, from 0 up to and without 1.
    pub(super) fn fraction(&mut self) -> f64 {
        // As many bits as the significand holds.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True so many times of a hundred.
    pub(super) fn percent(&mut self, chance: f64) -> bool {
        self.fraction() * 100.0 < chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
