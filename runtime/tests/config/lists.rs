//! Lists, whole and by element.

use polywire::config::Loader;

use super::{file, load, report};

#[test]
fn each_wrong_element_of_a_list_is_reported_at_its_own_place() {
    let text = "[transport.iroh]\nalpn_protocols = [\n  \"blixard\",\n  \"blixard/health/1\",\n  \
                \"polywire/health/1\",\n  7,\n]\n";
    let lines = report(file(text));
    let starts = [
        "node.toml:3:3: transport.iroh.alpn_protocols[0]: expected",
        "node.toml:5:3: transport.iroh.alpn_protocols[2]: expected",
        "node.toml:6:3: transport.iroh.alpn_protocols[3]: expected",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(lines[1].contains("reserved"), "{}", lines[1]);
}

#[test]
fn a_list_from_a_flag_is_not_blamed_on_the_file() {
    let text = "[transport.strategy]\nprefer_iroh_for = ['health', 'status']";
    let lines = report(file(text).flag("transport.strategy.prefer_iroh_for", "health,sta-tus"));
    assert!(
        lines[0].starts_with("--transport.strategy.prefer_iroh_for: transport.strategy.prefer_iroh_for[1]: "),
        "{lines:?}"
    );
}

#[test]
fn a_list_comes_element_by_element_from_variables_and_flags_and_replaces_that_of_a_lower_layer() {
    let variable =
        |index: u32, target: &str| (format!("POLYWIRE__CLUSTER__PEERS__{index}"), target.to_owned());
    let below = "[cluster]\npeers = ['grpc://127.0.0.1:9']";
    let peers =
        |loader: Loader| load(loader).cluster.peers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let one_by_one = [variable(1, "grpc://127.0.0.1:2"), variable(0, "grpc://127.0.0.1:1")];
    let expected = ["grpc://127.0.0.1:1", "grpc://127.0.0.1:2"];
    assert_eq!(peers(file(below).env(one_by_one)), expected);
    let flags = file(below).flag("cluster.peers.0", expected[0]).flag("cluster.peers[1]", expected[1]);
    assert_eq!(peers(flags), expected);
    let later =
        Loader::new().flag("cluster.peers.0", "grpc://127.0.0.1:3").flag("cluster.peers.0", expected[0]);
    assert_eq!(peers(later), expected[..1]);
}

#[test]
fn a_list_with_a_gap_or_in_two_forms_is_an_error_that_names_what_said_it() {
    let gap =
        report(Loader::new().flag("cluster.peers.0", "grpc://a:1").flag("cluster.peers.2", "grpc://b:1"));
    let expected =
        "--cluster.peers.2: cluster.peers: missing element 1; expected elements from 0 without gaps";
    assert_eq!(gap, [expected]);
    let both =
        report(Loader::new().flag("cluster.peers", "grpc://a:1").flag("cluster.peers.0", "grpc://b:1"));
    let expected = "--cluster.peers.0: cluster.peers: --cluster.peers sets the whole list; \
                    expected either the list or its elements";
    assert_eq!(both, [expected]);
}

#[test]
fn what_is_below_a_value_is_named_by_what_said_it_also_over_a_file() {
    let lines = report(file("[transport]\nmode = 'dual'").flag("transport.mode.x", "1"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("--transport.mode.x: transport.mode: expected \"grpc\""), "{lines:?}");
    let name = "POLYWIRE__TRANSPORT__GRPC__BIND_ADDRESS__PORT".to_owned();
    let lines = report(Loader::new().env([(name.clone(), "1".to_owned())]));
    assert!(lines[0].starts_with(&format!("{name}: transport.grpc.bind_address: expected")), "{lines:?}");
}
