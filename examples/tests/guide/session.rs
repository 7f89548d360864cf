use std::{collections::BTreeMap, process::Output};

use polywire_tests::{
    node::{binary, get},
    patience::within,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::words::{assigned, of_node};

/// A reader at a shell, in an empty directory: starts what a page starts, and fills in the targets that were printed.
///
/// Every listener is on a free port; `127.0.0.1:7001` in a later command is the address that the listener got.
pub(crate) struct Session {
    directory: TempDir,
    running: Vec<(Child, BufReader<ChildStdout>)>,
    /// What a reader replaces, and by what.
    replaced: BTreeMap<String, String>,
}

/// The listeners of a node that have a port of their own by default.
const LISTENERS: [(&str, &str, &str); 4] = [
    ("grpc", "transport.grpc.bind_address", "127.0.0.1:7001"),
    ("quic", "transport.quic.bind_address", "127.0.0.1:7002"),
    ("websocket", "transport.websocket.bind_address", "127.0.0.1:7003"),
    ("http", "http.bind_address", "127.0.0.1:7080"),
];

impl Session {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), running: Vec::new(), replaced: BTreeMap::new() }
    }

    /// Does what the command says.
    pub(crate) async fn run(&mut self, command: &[String]) {
        let command: Vec<String> = command.iter().map(|word| self.filled_in(word)).collect();
        if let Some((name, command)) = assigned(&command) {
            let printed = self.finish(of_node(&command).expect("the node")).await;
            self.learn_token(&printed).await;
            self.replaced.insert(format!("${name}"), printed);
            return;
        }
        match (of_node(&command), &*command) {
            (Some([what, arguments @ ..]), _) if what == "serve" => self.serve(arguments).await,
            (Some([what, arguments @ ..]), _) if what == "gateway" => self.gateway(arguments).await,
            (Some(arguments), _) => drop(self.finish(arguments).await),
            (None, [curl, url]) if curl == "curl" => fetch(url).await,
            (None, _) => panic!("a block marked sh runs the node or curl, and not {command:?}"),
        }
    }

    fn filled_in(&self, word: &str) -> String {
        let word = word.replace("/tmp/", &format!("{}/", self.directory.path().display()));
        self.replaced.iter().fold(word, |word, (from, to)| word.replace(from, to))
    }

    async fn serve(&mut self, arguments: &[String]) {
        let mut command = self.command("serve");
        let mut shown = Vec::new();
        for (listener, key, default) in LISTENERS {
            let flag = format!("--{key}=");
            let given = arguments.iter().find_map(|argument| argument.strip_prefix(&flag));
            shown.push((listener, given.unwrap_or(default).to_owned()));
        }
        let rest = arguments.iter().filter(|argument| !argument.contains(".bind_address="));
        command.args(rest).args(LISTENERS.map(|(_, key, _)| format!("--{key}=127.0.0.1:0")));
        let targets = self.start(command).await;
        for (listener, shown) in shown {
            if let Some(target) = targets.get(listener) {
                let (_, address) = target.split_once("://").unwrap();
                self.replaced.insert(shown, address.split(['/', '?']).next().unwrap().to_owned());
            }
        }
        self.learn_iroh("ENDPOINT_ID", &targets);
    }

    async fn gateway(&mut self, arguments: &[String]) {
        let mut command = self.command("gateway");
        let listens = arguments.iter().position(|argument| argument == "--listen").unwrap() + 1;
        let shown = arguments[listens].strip_prefix("grpc://");
        for (place, argument) in arguments.iter().enumerate() {
            command.arg(if shown.is_some() && place == listens { "grpc://127.0.0.1:0" } else { argument });
        }
        let targets = self.start(command).await;
        if let Some(shown) = shown {
            self.replaced.insert(shown.to_owned(), targets["grpc"]["grpc://".len()..].to_owned());
        }
        self.learn_iroh("GATEWAY_ID", &targets);
    }

    fn learn_iroh(&mut self, id: &str, targets: &BTreeMap<String, String>) {
        if let Some(target) = targets.get("iroh") {
            self.replaced.insert(format!("iroh://{id}?addr=127.0.0.1:PORT"), target.clone());
        }
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(binary());
        command.arg(what).current_dir(&self.directory).kill_on_drop(true);
        command
    }

    /// Starts it, and gives the targets that it prints.
    async fn start(&mut self, mut command: Command) -> BTreeMap<String, String> {
        command.arg("--json").stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        within(stdout.read_line(&mut line)).await.unwrap();
        let targets = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        self.running.push((child, stdout));
        targets
    }

    /// What the command prints, without the end of its line.
    async fn finish(&self, arguments: &[String]) -> String {
        let (what, rest) = arguments.split_first().unwrap();
        let Output { status, stdout, stderr } = within(self.command(what).args(rest).output()).await.unwrap();
        let said = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat();
        assert!(status.success(), "{arguments:?} ended with {status}:\n{said}");
        String::from_utf8(stdout).unwrap().trim_end().to_owned()
    }

    /// The id that a reader sees of a token.
    async fn learn_token(&mut self, token: &str) {
        let show = ["token", "show", "--json", token].map(str::to_owned);
        let shown: serde_json::Value = serde_json::from_str(&self.finish(&show).await).unwrap();
        self.replaced.insert("TOKEN_ID".to_owned(), shown["ids"][0].as_str().unwrap().to_owned());
    }
}

async fn fetch(url: &str) {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let page = get(address, &format!("/{path}"), "*/*").await.unwrap();
    assert_eq!(page.status, 200, "{url}: {}", page.body);
}
