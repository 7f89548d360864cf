//! A node that writes down in a file what it executes, and dies when it is told to.

use polywire_tests::ledger::{Clerk, Fate, Journal, LedgerServer};

#[polywire::main]
fn node() -> polywire::NodeBuilder {
    let path = std::env::var_os(Journal::VARIABLE).expect("the name of a file");
    let journal = Journal::append_to(path);
    let clerk = Clerk::new(move |order| {
        if order.fate() == Fate::DiesBefore {
            std::process::abort();
        }
        journal.enter(order.name);
        if order.fate() == Fate::DiesAfter {
            std::process::abort();
        }
    });
    polywire::Node::builder().service(LedgerServer::new(clerk))
}
