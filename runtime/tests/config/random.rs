//! Arbitrary values.

use polywire::config::Loader;
use proptest::prelude::*;

use super::{
    file,
    printed::{leaves, unusual},
};

/// Pieces of TOML that are right in one place and wrong in most others.
const VALUES: [&str; 14] = [
    "true",
    "0",
    "-1",
    "7002",
    "0.5",
    "nan",
    "'10s'",
    "'dual'",
    "'127.0.0.1:7001'",
    "['health', 1]",
    "[['a/b/1'], {}]",
    "{ adaptive = [50.0] }",
    "{}",
    "1979-05-27",
];

proptest! {
    #[test]
    fn whatever_is_set_there_is_a_configuration_or_a_report(
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..VALUES.len(), any::<bool>()), 0..12)
    ) {
        let printed: toml::Table = unusual().to_toml().unwrap().parse().unwrap();
        let keys = leaves("", &printed);
        let mut text = String::new();
        let mut loader = Loader::new();
        for (key, value, in_file) in picks {
            let (key, value) = (&key.get(&keys).0, VALUES[value]);
            if in_file {
                text += &format!("{key} = {value}\n");
            } else {
                loader = loader.flag(key, value);
            }
        }
        match loader.text("node.toml", text).load() {
            Ok(loaded) => prop_assert_eq!(loaded.config.check(), Ok(())),
            Err(error) => prop_assert!(!error.problems().is_empty()),
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "[\\[\\]a-z.='\"\\n{}0-9ä]{0,60}", value in "\\PC{0,20}") {
        let _ = file(&text).flag("transport.iroh.alpn_protocols", &value).load();
    }
}
