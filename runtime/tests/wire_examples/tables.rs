//! The tables of the page.

use std::fmt::Debug;

use polywire::{
    Code, Limits,
    wire::{ConnectionCode, StreamCode},
};

use super::PAGE;

/// The rows of the first table behind this text: their cells, without backquotes.
fn table(behind: &str) -> Vec<Vec<String>> {
    let (_, rest) = PAGE.split_once(behind).unwrap_or_else(|| panic!("the page says {behind:?}"));
    let rows =
        rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells =
        |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    rows.skip(2).map(cells).collect()
}

fn number(cell: &str) -> u64 {
    match cell.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
        None => cell.parse().unwrap(),
    }
}

/// How the page spells the name of a variant.
fn spelled(variant: impl Debug) -> String {
    let mut spelled = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_uppercase() && !spelled.is_empty() {
            spelled.push('_');
        }
        spelled.push(letter.to_ascii_uppercase());
    }
    spelled
}

#[test]
fn the_status_codes_are_those_of_the_page() {
    let rows = table("the code always arrives.");
    let listed: Vec<_> = rows.iter().map(|row| (number(&row[0]), row[1].as_str())).collect();
    assert_eq!(listed, Code::ALL.map(|code| (u64::from(code.number()), code.name())));
    assert_eq!(Code::from_number(17), Code::Unknown);
}

#[test]
fn the_stream_codes_are_those_of_the_page() {
    let rows = table("### 10.1");
    for row in &rows {
        let code = StreamCode::from_number(number(&row[0]));
        let ours = (u64::from(code.number()), spelled(code), code.is_not_processed());
        assert_eq!((number(&row[0]), row[1].clone(), row[3] == "yes"), ours);
    }
    assert_eq!(rows.len(), 5);
    assert_eq!(StreamCode::from_number(0x05), StreamCode::Cancelled);
}

#[test]
fn the_connection_codes_are_those_of_the_page() {
    let rows = table("### 10.2");
    for row in &rows {
        let code = ConnectionCode::from_number(number(&row[0]));
        let ours = (u64::from(code.number()), spelled(code), code.is_not_processed());
        assert_eq!((number(&row[0]), row[1].clone(), row[3] == "yes"), ours);
    }
    assert_eq!(rows.len(), 5);
    assert_eq!(ConnectionCode::from_number(0x14), ConnectionCode::Closed);
}

#[test]
fn the_limits_are_those_of_the_page() {
    let rows = table("## 9. Limits");
    let default = |limit: &str| {
        let row = rows.iter().find(|row| row[0].starts_with(limit)).unwrap();
        row[1].split(' ').next().unwrap().replace(',', "").parse::<usize>().unwrap()
    };
    let limits = Limits::default();
    assert_eq!(default("one message"), limits.max_message_bytes);
    assert_eq!(default("metadata"), limits.max_metadata_bytes);
    assert_eq!(default("from a stream's opening") as u64, limits.message_timeout.as_secs());
    assert_eq!(default("from a frame's first byte") as u64, limits.message_timeout.as_secs());
}
