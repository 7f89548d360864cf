use std::fmt;

use super::Compression;

/// Some of the compressions there are: what one side of a call accepts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct CompressionSet(u8);

impl CompressionSet {
    /// None at all.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Those that this build knows.
    pub const fn supported() -> Self {
        let mut set = Self::none();
        let mut index = 0;
        while index < Compression::ALL.len() {
            let compression = Compression::ALL[index];
            if compression.is_supported() {
                set = set.with(compression);
            }
            index += 1;
        }
        set
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, compression: Compression) -> Self {
        Self(self.0 | 1 << compression as u8)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is among them.
    pub const fn contains(self, compression: Compression) -> bool {
        self.0 & (1 << compression as u8) != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Compression> {
        Compression::ALL.into_iter().filter(move |compression| self.contains(*compression))
    }

    /// The compression of responses to a peer that accepts this set: `wanted` if the set has it, otherwise none.
    pub(crate) fn agree(self, wanted: Option<Compression>) -> Option<Compression> {
        wanted.filter(|wanted| self.contains(*wanted) && wanted.is_supported())
    }
}

/// The names, separated by commas; `none` without any.
impl fmt::Display for CompressionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (index, compression) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{compression}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CompressionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
