//! Every input of the corpus holds, and each check has all that belongs to it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use polywire_fuzz_checks::CHECKS;

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("fuzz/checks").to_owned()
}

#[test]
fn every_input_of_the_corpus_holds() {
    for check in CHECKS {
        let directory = fuzz().join("corpus").join(check.name);
        let mut played = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let file = entry.unwrap().path();
            let input = fs::read(&file).unwrap();
            if std::panic::catch_unwind(|| (check.run)(&input)).is_err() {
                panic!("{} does not hold", file.display());
            }
            played += 1;
        }
        assert!(played >= 5, "{} has {played} inputs; expected some of each kind", directory.display());
    }
}

#[test]
fn each_check_has_a_target_and_each_target_a_check() {
    let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name.to_owned()).collect();
    let stems = |directory: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(stems("fuzz_targets"), names, "fuzz/fuzz_targets");
    assert_eq!(stems("corpus"), names, "fuzz/corpus");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &names {
        let path = format!("path = \"fuzz_targets/{name}.rs\"");
        assert!(manifest.contains(&path), "fuzz/Cargo.toml has no [[bin]] with {path}");
        let source = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("polywire_fuzz_checks::{name}::check(")), "{name}: {source}");
    }
}
