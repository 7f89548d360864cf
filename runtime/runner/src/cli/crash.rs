//! A panic below the node ends the process at once, with its own exit status.
//!
//! The damage of a panic depends on its place:
//!
//! | place | damage | reaction |
//! |---|---|---|
//! | a handler, a layer, a response stream | its call | caught; the caller gets `INTERNAL` |
//! | a task or thread that a handler started | that task | left to the handler, which may join it |
//! | HTTP/2, TLS, a WebSocket, the multiplexer | its connection, which one task drives | tokio ends the task; the peer reconnects |
//! | QUIC, Iroh, Raft, a tonic channel | more: their locks are poisoned, so the next lock panics, also in a destructor, which aborts the process; or a task is gone that all calls wait for | the process logs the reason and exits |
//!
//! A half-dead node answers probes and no calls. A supervisor restarts a process that has exited.

use std::{
    backtrace::Backtrace,
    panic::{self, PanicHookInfo},
    path::{Component, Path},
};

use polywire_core::__runner::panic::is_guarded;

/// The exit status: that of a Rust program whose main thread panics.
pub(super) const STATUS: u8 = 101;

/// Modules whose state many connections or calls share, named as in a backtrace.
const SHARED: [&str; 11] = [
    "iroh",
    "iroh_base",
    "iroh_dns",
    "iroh_relay",
    "noq",
    "noq_proto",
    "noq_udp",
    "openraft",
    "quinn",
    "quinn_proto",
    "tower::buffer",
];

/// Installs a panic hook that ends the process at a panic below the node.
pub(super) fn end_at_panics_below() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !is_guarded() && is_below(panic) {
            let text = panic.payload_as_str().unwrap_or("(no text)");
            let at = panic.location().map(ToString::to_string);
            tracing::error!(
                panic = text,
                at,
                "a library below the node panicked and its state is undefined; the process exits with status {STATUS}"
            );
            std::process::exit(STATUS.into());
        }
    }));
}

fn is_below(panic: &PanicHookInfo<'_>) -> bool {
    let place = panic.location().map_or("", |place| place.file());
    // The location costs nothing, but may be in a callee of QUIC, such as a buffer that was too short.
    is_place_of_shared(place) || is_stack_of_shared(&Backtrace::force_capture().to_string())
}

/// Whether the file belongs to one of these crates: `…/noq-proto-1.4.0/src/connection/mod.rs`, or without a version if
/// the sources are vendored.
fn is_place_of_shared(file: &str) -> bool {
    let of_shared = |directory: &str| {
        let name = match directory.rsplit_once('-') {
            Some((name, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => name,
            _ => directory,
        };
        SHARED.contains(&&*name.replace('-', "_"))
    };
    let mut parts = Path::new(file).components().rev().skip_while(|part| part.as_os_str() != "src");
    let directory = parts.nth(1).map(Component::as_os_str).and_then(|name| name.to_str());
    directory.is_some_and(of_shared)
}

/// Whether a function of one of these crates is on the stack, in the format of [`Backtrace`]: `  7: noq::…::poll` or
/// `  7: <noq::… as core::future::future::Future>::poll`, and the location on the next line. The name of a crate may carry
/// a hash, `noq[0123456789abcdef]::…`.
fn is_stack_of_shared(stack: &str) -> bool {
    let function = |line: &str| {
        let (number, function) = line.trim_start().split_once(": ")?;
        number.parse::<u32>().ok()?;
        Some(function.trim_start_matches(['<', '&']).to_owned())
    };
    let of_shared = |function: String| {
        let function = match function.split_once("]::") {
            Some((name, rest)) if name.contains('[') => {
                format!("{}::{rest}", name.split('[').next().unwrap_or_default())
            }
            _ => function,
        };
        let begins = |module: &&str| function.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"));
        SHARED.iter().any(begins)
    };
    stack.lines().filter_map(function).any(of_shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_below_by_the_crate_that_it_is_in() {
        let registry = "/home/me/.cargo/registry/src/crates";
        for (file, below) in [
            (format!("{registry}/noq-proto-1.4.0/src/connection/mod.rs"), true),
            (format!("{registry}/iroh-1.4.1/src/socket.rs"), true),
            (format!("{registry}/openraft-0.9.25/src/core/raft_core.rs"), true),
            ("vendor/quinn/src/connection.rs".to_owned(), true),
            (format!("{registry}/bytes-1.12.2/src/buf/buf_mut.rs"), false),
            (format!("{registry}/iroh-blobs-0.35.0/src/store.rs"), false),
            ("src/noq/mod.rs".to_owned(), false),
            ("runtime/core/src/transport/iroh/dial.rs".to_owned(), false),
            ("main.rs".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_place_of_shared(&file), below, "{file}");
        }
    }

    #[test]
    fn a_stack_is_below_by_a_function_on_it() {
        let quic = "   3: bytes::panic_advance
             at /registry/bytes-1.12.2/src/lib.rs:206:5
   4: noq_proto::connection::Connection::populate_packet
             at /registry/noq-proto-1.4.0/src/connection/mod.rs:6194:21
   9: tokio::runtime::task::core::Core<T,S>::poll";
        let future = "  11: <quinn::connection::ConnectionDriver as core::future::future::Future>::poll";
        let channel =
            "  12: <tower::buffer::worker::Worker<T,Request> as core::future::future::Future>::poll";
        let own = "   5: polywire::transport::iroh::dial::connect
             at ./src/noq/iroh::x.rs:1:1
   6: tower::util::map_err::MapErr<S,F>::call
   7: tokio::runtime::task::core::Core<noq::Driver,S>::poll
   8: hyper::proto::h2::server::H2Stream<F,B>::poll2
   9: noqturne::play";
        for (stack, below) in [(quic, true), (future, true), (channel, true), (own, false), ("", false)] {
            assert_eq!(is_stack_of_shared(stack), below, "{stack}");
        }
    }

    #[test]
    fn a_panic_of_this_test_is_not_below() {
        assert!(!is_stack_of_shared(&Backtrace::force_capture().to_string()));
    }
}
