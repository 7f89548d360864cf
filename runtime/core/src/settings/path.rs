//! Paths as settings, including Unix paths that are not Unicode.
//!
//! TOML is Unicode. The TOML value holds each other byte as the character U+10FE00 + byte of a private use area, and the
//! setting has the byte itself: `Type as "polywire::config::path"` in [`section!`](crate::section). A file may use this
//! form too: `"\U0010FEFF"` is the byte 0xff.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serializer};

/// The offset of a byte that is not Unicode.
const AREA: u32 = 0x0010_FE00;

/// A path setting, optional or not.
pub trait PathSetting: Sized {
    #[doc(hidden)]
    fn path(&self) -> Option<&Path>;

    #[doc(hidden)]
    fn from_path(path: PathBuf) -> Self;
}

impl PathSetting for PathBuf {
    fn path(&self) -> Option<&Path> {
        Some(self)
    }

    fn from_path(path: PathBuf) -> Self {
        path
    }
}

impl PathSetting for Option<PathBuf> {
    fn path(&self) -> Option<&Path> {
        self.as_deref()
    }

    fn from_path(path: PathBuf) -> Self {
        Some(path)
    }
}

/// Serializes a path, for serde's `with`.
///
/// # Errors
/// If the serializer fails.
pub fn serialize<P: PathSetting, S: Serializer>(path: &P, serializer: S) -> Result<S::Ok, S::Error> {
    match path.path() {
        Some(path) => serializer.serialize_str(&encode(path.as_os_str())),
        None => serializer.serialize_none(),
    }
}

/// Deserializes a path, for serde's `with`.
///
/// # Errors
/// If the value is not a text.
pub fn deserialize<'de, P: PathSetting, D: Deserializer<'de>>(deserializer: D) -> Result<P, D::Error> {
    Ok(P::from_path(decode(&String::deserialize(deserializer)?).into()))
}

/// Encodes the path as a text.
pub fn encode(path: &OsStr) -> String {
    let mut text = String::new();
    for chunk in path.as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match byte(character) {
                None => text.push(character),
                // A character of the area is encoded bytewise, so that it does not become a byte.
                Some(_) => push(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut text),
            }
        }
        push(chunk.invalid(), &mut text);
    }
    text
}

fn push(bytes: &[u8], text: &mut String) {
    text.extend(bytes.iter().filter_map(|byte| char::from_u32(AREA + u32::from(*byte))));
}

fn decode(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

/// The byte that a character encodes, which is never ASCII.
fn byte(character: char) -> Option<u8> {
    let byte = u32::from(character).checked_sub(AREA).and_then(|byte| u8::try_from(byte).ok());
    byte.filter(|byte| !byte.is_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_unicode_is_itself() {
        assert_eq!(encode(OsStr::new("a/ä/\u{1f980}")), "a/ä/\u{1f980}");
        assert_eq!(encode(OsStr::from_bytes(b"x/env\xff")), "x/env\u{10feff}");
    }

    proptest! {
        #[test]
        fn every_path_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(OsStr::from_bytes(&bytes))).into_vec(), bytes);
        }

        #[test]
        fn also_one_with_characters_of_the_area(text in "[a\u{10fe00}-\u{10feff}]*") {
            let path = OsString::from(text);
            prop_assert_eq!(decode(&encode(&path)), path);
        }
    }
}
