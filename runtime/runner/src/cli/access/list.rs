//! `access list`.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use super::{
    args::ListArgs,
    messages::{IssuedToken, LIST, ListResponse, Nothing, Rule},
    operator::Operator,
};
use crate::{
    cli::{failure::Failure, flags::Flags, print},
    tokens::{TokenFile, TokenRecord, unix_seconds},
};

pub(super) async fn list(args: ListArgs, flags: Flags) -> Result<(), Failure> {
    let operator = Operator::new(args.node, flags)?;
    let seen = match operator.ask(LIST, &Nothing {}).await? {
        Some(seen) => seen,
        None => offline(&operator)?,
    };
    let text = match args.json {
        true => serde_json::to_string(&seen).map_err(Failure::other)? + "\n",
        false => table(&seen, unix_seconds(SystemTime::now())),
    };
    print::answer(&text)
}

/// What the data directory and the configuration say.
fn offline(operator: &Operator) -> Result<ListResponse, Failure> {
    let file = TokenFile::open(&operator.config.node.data_dir).map_err(Failure::other)?;
    let access = &operator.config.access;
    let rules = access.allow.0.iter();
    Ok(ListResponse {
        tokens: file.records().into_iter().map(issued).collect(),
        rules: rules.map(|rule| Rule { who: rule.who.clone(), what: rule.what.clone() }).collect(),
        trust_local: access.trust_local,
        insecure: access.insecure,
    })
}

fn issued(record: TokenRecord) -> IssuedToken {
    IssuedToken {
        id: record.id.to_string(),
        name: record.name,
        methods: record.methods,
        expires: record.expires,
        uses: record.uses,
        used: record.used,
        to: record.to.unwrap_or_default(),
        revoked: record.revoked,
    }
}

/// A line for each token, and one for each rule.
fn table(seen: &ListResponse, now: u64) -> String {
    let head = ["ID", "NAME", "STATE", "USES LEFT", "FOR", "METHODS"].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(seen.tokens.iter().map(|token| cells(token, now)));
    let mut text = String::new();
    let widths: Vec<_> = (0..6)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default())
        .collect();
    // Writing to a string cannot fail.
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    if seen.insecure {
        text.push_str("every caller may call every method: access.insecure = true\n");
    }
    if seen.trust_local {
        text.push_str("local callers may call every method: access.trust_local = true\n");
    }
    for rule in &seen.rules {
        let _ = writeln!(text, "allow {} to call {}", rule.who.join(", "), rule.what.join(", "));
    }
    text
}

fn cells(token: &IssuedToken, now: u64) -> [String; 6] {
    let none = || "-".to_owned();
    let shown = |text: &str| if text.is_empty() { none() } else { text.to_owned() };
    let left = token.uses.map(|uses| uses.saturating_sub(token.used));
    let state = match token.expires.checked_sub(now) {
        _ if token.revoked => "revoked".to_owned(),
        _ if left == Some(0) => "used up".to_owned(),
        None | Some(0) => "expired".to_owned(),
        Some(seconds) => format!("valid for {}", humantime::format_duration(Duration::from_secs(seconds))),
    };
    [
        token.id.clone(),
        shown(&token.name),
        state,
        left.map_or_else(none, |left| left.to_string()),
        token.to.get(..10).map_or_else(none, str::to_owned),
        shown(&token.methods.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_left_of_each_token_and_what_the_rules_are() {
        let token = IssuedToken {
            id: "0a".repeat(8),
            name: "ci".to_owned(),
            methods: vec!["a.A/Get".to_owned(), "a.B/*".to_owned()],
            expires: 160,
            uses: Some(3),
            used: 1,
            ..IssuedToken::default()
        };
        let revoked = IssuedToken { revoked: true, uses: None, to: "0b".repeat(32), ..token.clone() };
        let rule = Rule { who: vec!["uid:7".to_owned()], what: vec!["operator".to_owned()] };
        let seen = ListResponse {
            tokens: vec![token, revoked],
            rules: vec![rule],
            trust_local: true,
            insecure: false,
        };
        let expected = "\
ID                NAME  STATE         USES LEFT  FOR         METHODS
0a0a0a0a0a0a0a0a  ci    valid for 1m  2          -           a.A/Get a.B/*
0a0a0a0a0a0a0a0a  ci    revoked       -          0b0b0b0b0b  a.A/Get a.B/*
local callers may call every method: access.trust_local = true
allow uid:7 to call operator
";
        assert_eq!(table(&seen, 100), expected);
        assert!(table(&seen, 160).contains("expired"));
    }
}
