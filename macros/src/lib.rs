//! The attribute macros of polywire. Use them through the `polywire` crate, which re-exports both and has
//! everything that their expansions name.
//!
//! Each macro is a pure function from tokens to its output and the mistakes it found. All mistakes of an
//! item are reported at once, and the item itself is always emitted again, so that one mistake does not
//! hide behind the errors it would cause elsewhere.

mod entry;
mod errors;
mod nearest;
mod service;
#[cfg(test)]
mod testing;
mod words;

use proc_macro::TokenStream;

/// Makes a trait a service: beside the trait it gives a method table `…Definition`, a server `…Server<T>`
/// and a client `…Client`, which know no transport and travel over each.
///
/// | argument | is | default |
/// |---|---|---|
/// | `package = "inventory.v1"` | the package on the wire, lower-case words joined by dots | required |
/// | `name = "Inventory"` | the service's name on the wire | the trait's name |
/// | `crate = ::path` | where the `polywire` crate is found, if it was renamed | `::polywire` |
///
/// A method is an `async fn` that takes `&self`, then a `&Context` if it wants one, then one request, and
/// returns a `Result`. Request and response are each a message or a `Streaming` of messages; the response
/// may be wrapped in a `Response`. These names are recognised by the last segment of the path. The error is
/// `Status` or converts into it.
///
/// `#[rpc(…)]` on a method sets options, all optional:
///
/// | option | says |
/// |---|---|
/// | `idempotent` | calling it twice does what calling it once does, so it may be retried |
/// | `timeout = "5s"` | the longest a call may take, streams included: an integer and `ms`, `s`, `m` or `h`. Both ends enforce it; a call with an earlier deadline keeps that, one with a later or none gets this |
/// | `name = "Get"` | its name on the wire; else the method's name in `UpperCamelCase` |
/// | `max_message_bytes = 65536` | the largest message either way, in bytes |
///
/// The client implements the trait as well, provided that each of the trait's error types is
/// `From<Status>` and that the client meets the trait's supertraits.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(arguments.into(), item.into()).into_tokens().into()
}

/// Makes a function that returns a node builder, or a `Result` of one, the `main` of a node binary with
/// the commands `serve`, `call`, `services`, `config` and `id`. The function may be `async`.
///
/// Its arguments are `transports = [Pigeon, Drum]`, values that are transports: targets and configurations may
/// name them then; and `crate = ::path`, where the `polywire` crate is found if it was renamed.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(arguments.into(), item.into()).into_tokens().into()
}
