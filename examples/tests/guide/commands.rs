use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use polywire::config::Loader;
use polywire_tests::node::binary;

use crate::{
    page::{self, Page},
    session::Session,
    words::{assigned, commands, of_node},
};

/// Runs what a page says, block after block, as a reader would.
async fn run(path: &str) {
    let blocks: Vec<_> = Page::read(path).blocks().into_iter().filter(|block| block.kind == "sh").collect();
    assert!(!blocks.is_empty(), "{path} has no commands");
    let mut session = Session::new();
    for block in blocks {
        for command in commands(&block.text) {
            session.run(&command).await;
        }
    }
}

/// A test for each page with commands, and one that no page is forgotten.
macro_rules! run {
    ($($name:ident: $path:literal)*) => {
        $(#[tokio::test]
        async fn $name() {
            run($path).await;
        })*

        #[test]
        fn every_page_with_commands_is_run() {
            for page in page::all().iter().filter(|page| page.blocks().iter().any(|block| block.kind == "sh")) {
                assert!([$($path),*].iter().any(|path| page.path == Path::new(path)), "{:?} is not run", page.path);
            }
        }
    };
}

run! {
    the_commands_of_the_readme_work: "README.md"
    the_commands_of_the_node_chapter_work: "docs/src/node.md"
    the_commands_of_the_access_chapter_work: "docs/src/access.md"
    the_commands_of_the_gateway_chapter_work: "docs/src/gateway.md"
    the_commands_of_the_load_balancing_chapter_work: "docs/src/load-balancing.md"
    the_commands_of_the_cluster_chapter_work: "docs/src/cluster.md"
    the_commands_of_the_observability_chapter_work: "docs/src/observability.md"
    the_commands_of_the_transports_chapter_work: "docs/src/transports.md"
}

#[test]
fn every_command_of_the_node_has_options_that_the_node_knows() {
    for page in page::all() {
        let shell =
            page.blocks().into_iter().filter(|block| matches!(&*block.kind, "sh" | "bash" | "console"));
        for command in shell.flat_map(|block| commands(&block.text)) {
            let command = assigned(&command).map_or(command, |(_, assigned)| assigned);
            // In a script the node is behind `if !`.
            let begin =
                command.iter().position(|word| word == "polywire-node" || word == "cargo").unwrap_or(0);
            if let Some(arguments) = of_node(&command[begin..]) {
                let arguments: Vec<_> = arguments.iter().map(|word| word.trim_end_matches(';')).collect();
                check(&page, &arguments);
            }
        }
    }
}

fn check(page: &Page, arguments: &[&str]) {
    let is_command = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase());
    // `cluster join`, `config print`: a second word is part of the command where that has commands.
    let depth =
        if matches!(arguments[0], "access" | "cluster" | "config" | "migration" | "token") { 2 } else { 1 };
    let path: Vec<_> = arguments.iter().take(depth).take_while(is_command).collect();
    let help = Command::new(binary()).args(&path).arg("--help").output().unwrap();
    assert!(help.status.success(), "{:?}: there is no command {path:?}", page.path);
    let help = String::from_utf8(help.stdout).unwrap();
    for option in arguments.iter().filter_map(|word| word.strip_prefix("--")) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if name.contains('.') {
            let loaded = Loader::new().flag(name, value).load();
            assert!(loaded.is_ok(), "{:?}: --{option}: {}", page.path, loaded.unwrap_err());
        } else {
            let known = help.split([' ', ',', '\n']).any(|word| word == format!("--{name}"));
            assert!(known, "{:?}: {path:?} has no option --{name}", page.path);
        }
    }
}

#[test]
fn scripts_are_scripts() {
    for page in page::all() {
        for block in page.blocks().into_iter().filter(|block| block.kind == "bash") {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(block.text.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success(), "{:?}", page.path);
        }
    }
}

#[test]
fn every_configuration_that_is_shown_can_be_loaded() {
    for page in page::all() {
        let shown = page.blocks().into_iter().filter(|block| block.kind == "toml");
        for block in shown.filter(|block| !block.text.contains("[dependencies]")) {
            let loaded = Loader::new().text(&page.path, block.text).load();
            assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
        }
    }
}
