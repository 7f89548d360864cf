//! `token show` and `token narrow`.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use iroh_base::PublicKey;
use serde::Serialize;

use super::args::{NarrowArgs, TokenCommand};
use crate::{
    cli::{failure::Failure, print},
    tokens::{Narrowing, Token, unix_seconds},
};

pub(in crate::cli) fn token(command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Show { token, json } => {
            let shown = Shown::of(token.token());
            let text = match json {
                true => serde_json::to_string(&shown).map_err(Failure::other)? + "\n",
                false => shown.text(unix_seconds(SystemTime::now())),
            };
            print::answer(&text)
        }
        TokenCommand::Narrow(args) => {
            let narrowed = narrow(&args).map_err(Failure::usage)?;
            print::answer(&format!("{narrowed}\n"))
        }
    }
}

fn narrow(args: &NarrowArgs) -> Result<Token, String> {
    let expires = match args.valid_for {
        None => None,
        Some(valid_for) => {
            Some(SystemTime::now().checked_add(valid_for).ok_or("invalid validity: too long")?)
        }
    };
    let narrowing = Narrowing {
        methods: args.method.iter().map(ToString::to_string).collect(),
        expires,
        uses: args.uses,
        to: args.to.map(|key| *key.as_bytes()),
    };
    args.token.token().narrow(narrowing).map_err(|error| error.to_string())
}

/// A token as it is shown: without its secret.
#[derive(Serialize)]
struct Shown {
    name: String,
    /// That of the issued token, and those of what it was narrowed to.
    ids: Vec<String>,
    issuer: String,
    targets: Vec<String>,
    methods: Vec<String>,
    /// In seconds since 1970.
    expires: u64,
    /// The numbers of calls that its links are good for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uses: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Whether its chain of signatures is whole.
    whole: bool,
}

impl Shown {
    fn of(token: &Token) -> Self {
        let key = |key: [u8; 32]| PublicKey::from_bytes(&key).map(|key| key.to_string()).unwrap_or_default();
        Self {
            name: token.name(),
            ids: token.ids().map(|id| id.to_string()).collect(),
            issuer: key(token.issuer()),
            targets: token.targets().to_vec(),
            methods: token.methods().to_vec(),
            expires: token.expires(),
            uses: token.limits().map(|(_, limit)| limit).collect(),
            to: token.to().map(key),
            whole: !matches!(token.check(), Err(crate::tokens::InvalidToken::Forged)),
        }
    }

    fn text(&self, now: u64) -> String {
        let validity = match self.expires.checked_sub(now) {
            None | Some(0) => "expired".to_owned(),
            Some(seconds) => format!("for {}", humantime::format_duration(Duration::from_secs(seconds))),
        };
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<8} {value}");
        };
        // Text from elsewhere is printed without control characters.
        let plain = |text: &str| text.escape_debug().to_string();
        line("name", &plain(&self.name));
        self.ids.iter().for_each(|id| line("id", id));
        line("issuer", &self.issuer);
        self.targets.iter().for_each(|target| line("target", &plain(target)));
        self.methods.iter().for_each(|method| line("method", &plain(method)));
        line("valid", &validity);
        self.uses.iter().for_each(|uses| line("uses", &uses.to_string()));
        self.to.iter().for_each(|key| line("to", key));
        if !self.whole {
            line("forged", "its chain of signatures is broken, or it was widened");
        }
        text
    }
}
