//! The reference chapters are complete: a key or an option that is missing there, or that is there and gone, fails.

use std::{collections::BTreeSet, env, fs, process::Command};

use polywire_tests::node::{Node, binary, call};

use crate::page::{Page, root};

const CONFIGURATION: &str = "docs/src/configuration.md";

fn said(arguments: &[&str]) -> String {
    // The environment of the tests is none of the node's.
    let variables = env::vars_os().map(|(name, _)| name);
    let ours = variables.filter(|name| name.to_string_lossy().to_ascii_uppercase().starts_with("POLYWIRE__"));
    let mut command = Command::new(binary());
    ours.for_each(|name| {
        command.env_remove(name);
    });
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_configuration_chapter_has_every_key_with_its_default() {
    let page = Page::read(CONFIGURATION);
    let reference = page.blocks().pop().unwrap().text;
    let printed = said(&["config", "print"]);
    if env::var_os("POLYWIRE_UPDATE_DOCS").is_some() {
        fs::write(root().join(CONFIGURATION), page.text.replace(&reference, &printed)).unwrap();
        return;
    }
    assert_eq!(reference, printed, "POLYWIRE_UPDATE_DOCS=1 updates {CONFIGURATION}");
}

/// Long options, without those that every command has. Keys of the configuration, which have dots, are elsewhere.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')));
    // `--verbose...` may be repeated.
    let words = words.map(|word| word.trim_end_matches('.'));
    let long = words.filter(|word| word.starts_with("--") && word.len() > 2 && !word.contains('.'));
    long.filter(|word| !matches!(*word, "--help" | "--version")).map(str::to_owned).collect()
}

#[test]
fn the_command_line_chapter_has_every_command_with_every_option() {
    let page = Page::read("docs/src/command-line.md");
    let commands = [
        "serve",
        "gateway",
        "call",
        "services",
        "config check",
        "config print",
        "id",
        "invite",
        "token show",
        "token narrow",
        "access list",
        "access revoke",
        "cluster init",
        "cluster invite",
        "cluster join",
        "cluster leave",
        "cluster remove",
        "cluster status",
        "migration status",
    ];
    for command in commands {
        let heading = format!("\n## `{command}`\n");
        let (_, rest) = page.text.split_once(&heading).unwrap_or_else(|| panic!("no heading {heading:?}"));
        let section = rest.split("\n## ").next().unwrap();
        let arguments: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let listed = said(&arguments);
        let known: BTreeSet<_> = listed.lines().filter(|line| line.trim_start().starts_with('-')).collect();
        let known = options(&known.into_iter().flat_map(|line| [line, "\n"]).collect::<String>());
        let described = section.lines().filter(|line| line.starts_with("| `"));
        let described = options(
            &described
                .filter_map(|row| row.split('|').nth(1))
                .flat_map(|cell| [cell, " "])
                .collect::<String>(),
        );
        assert_eq!(described, known, "the options of `{command}`");
    }
    // A command that is new is missed too: every line of the help that names one.
    for parent in ["", "config", "token", "access", "cluster", "migration"] {
        let arguments: Vec<_> = parent.split_whitespace().chain(["--help"]).collect();
        let help = said(&arguments);
        let (_, listed) = help.split_once("Commands:\n").unwrap();
        for line in listed.lines().take_while(|line| !line.is_empty()) {
            let name = format!("{parent} {}", line.split_whitespace().next().unwrap());
            let known =
                |command: &&str| *command == name.trim() || command.starts_with(&format!("{} ", name.trim()));
            assert!(name.ends_with("help") || commands.iter().any(known), "{name}");
        }
    }
}

#[tokio::test]
async fn the_observability_chapter_has_every_metric_that_a_node_shows() {
    let chapter = Page::read("docs/src/observability.md").text;
    // `polywire_iroh_socket_…` stands for all that begin so.
    let named: BTreeSet<_> =
        chapter.split('`').skip(1).step_by(2).filter(|code| code.contains('_')).collect();
    let is_named = |metric: &str| {
        named.iter().any(|name| match name.strip_suffix('…') {
            Some(prefix) => metric.starts_with(prefix),
            None => *name == metric,
        })
    };
    let node = Node::start(&[]).await;
    assert_eq!(call(&[node.grpc(), "grpc.health.v1.Health/Check"]).await.code, 0);
    let page = node.get("/metrics").await.body;
    let shown: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let missing: Vec<_> = shown.iter().filter(|metric| !is_named(metric)).collect();
    assert!(missing.is_empty(), "not in the chapter: {missing:?}");
    // The other way round, for those that a node of its own has without calls of its own.
    for name in
        named.iter().filter(|name| name.starts_with("polywire_raft_") || name.starts_with("polywire_server_"))
    {
        assert!(shown.contains(name), "{name} is not shown");
    }
}
