//! The smallest run that has everything in it.

use std::{collections::HashSet, fs, path::Path};

use clap::Parser;
use polywire_benches::{arguments::Arguments, run};
use serde_json::Value;
use tempfile::TempDir;

const COUNTED: &str = env!("CARGO_BIN_EXE_polywire-benches-counted");

/// Runs with these arguments, and reads what was written into the directory.
async fn quick(directory: &Path, arguments: &[&str]) -> Value {
    let plots = directory.join("plots").display().to_string();
    let given = ["calls", "--quick", "--plots", &plots];
    let arguments = Arguments::parse_from(given.iter().chain(arguments));
    let json = directory.join("report.json");
    let report = run::measure(&arguments, Path::new(COUNTED)).await.expect("a run");
    run::write(&report, &arguments, &json).expect("a directory to write into");
    serde_json::from_slice(&fs::read(json).expect("a report")).expect("JSON")
}

/// The texts of a list in the report: its entries, or what each has under the key.
fn texts<'a>(report: &'a Value, list: &str, key: Option<&str>) -> Vec<&'a str> {
    let entries = report[list].as_array().expect("a list").iter();
    let text = |entry: &'a Value| key.map_or(entry, |key| &entry[key]).as_str().expect("a text");
    entries.map(text).collect()
}

/// What stands in an SVG to be read.
fn labels(svg: &str) -> HashSet<String> {
    let document = roxmltree::Document::parse(svg).expect("XML");
    assert_eq!(document.root_element().tag_name().name(), "svg");
    document.descendants().filter_map(|node| node.text()).map(|text| text.trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_reports_every_measure_of_every_contestant_and_draws_it() {
    let directory = TempDir::new().unwrap();
    let report = quick(directory.path(), &[]).await;

    let (contestants, measures) =
        (texts(&report, "contestants", None), texts(&report, "measures", Some("id")));
    for contestant in ["polywire over gRPC", "polywire over gRPC, TLS", "polywire over iroh", "plain tonic"] {
        assert!(contestants.contains(&contestant), "{contestants:?}");
    }
    for contestant in ["polywire over quic", "polywire over unix sockets", "polywire over websockets"] {
        assert!(contestants.contains(&contestant), "{contestants:?}");
    }
    for contestant in ["plain tonic, TLS", "plain iroh", "plain quinn", "irpc over iroh", "tarpc over TCP"] {
        assert!(contestants.contains(&contestant), "{contestants:?}");
    }
    for measure in ["latency-p50", "latency-p99", "rate-64", "throughput-64k", "throughput-1m", "stream"] {
        assert!(measures.contains(&measure), "{measures:?}");
    }
    for measure in ["connect", "cpu", "allocations", "allocated", "idle", "concurrency-100-rate"] {
        assert!(measures.contains(&measure), "{measures:?}");
    }

    let results = report["results"].as_array().unwrap();
    let pairs: HashSet<_> =
        results.iter().map(|result| (&result["contestant"], &result["measure"])).collect();
    assert_eq!(pairs.len(), contestants.len() * measures.len());
    assert_eq!(results.len(), pairs.len());
    for result in results {
        let cannot = result["contestant"] == "tarpc over TCP" && result["measure"] == "stream";
        assert_eq!(result["absent"].is_string(), cannot, "{result}");
        // What a connection holds is the difference of two readings of a process that frees memory meanwhile.
        let least = if result["measure"] == "idle" { f64::MIN } else { f64::MIN_POSITIVE };
        assert_eq!(result["median"].as_f64().is_some_and(|median| median >= least), !cannot, "{result}");
        assert_eq!(result["rounds"].as_array().unwrap().len(), usize::from(!cannot), "{result}");
    }
    assert_eq!(report["required"].as_array().unwrap().len(), 6);

    let page = fs::read_to_string(directory.path().join("plots/README.md")).unwrap();
    let mut drawn = 0;
    for entry in fs::read_dir(directory.path().join("plots")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            let labels = labels(&fs::read_to_string(&path).unwrap());
            for contestant in &contestants {
                assert!(labels.contains(*contestant), "{contestant} is not in {}", path.display());
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(page.contains(&format!("({name})")), "the page lacks {name}");
            drawn += 1;
        }
    }
    let growing = measures.iter().filter(|measure| measure.starts_with("concurrency")).count();
    assert_eq!(drawn, measures.len() - growing + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_one_contestant_and_one_measure_has_nothing_else() {
    let directory = TempDir::new().unwrap();
    let report =
        quick(directory.path(), &["--contestant", "polywire over gRPC, TLS", "--only", "stream"]).await;
    assert_eq!(texts(&report, "contestants", None), ["polywire over gRPC, TLS"]);
    assert_eq!(texts(&report, "measures", Some("id")), ["stream"]);
    assert_eq!(report["results"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_names_nobody_or_nothing_is_an_error() {
    let run = async |arguments: [&str; 4]| {
        run::measure(&Arguments::parse_from(arguments), Path::new(COUNTED)).await.unwrap_err().to_string()
    };
    let error = run(["calls", "--quick", "--only", "no such measure"]).await;
    assert!(error.contains("--only"), "{error}");
    let error = run(["calls", "--in-flight=1", "--contestant", "nobody"]).await;
    assert!(error.contains("`nobody`"), "{error}");
}
