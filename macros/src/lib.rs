//! The attribute macros of polywire. Use them through the `polywire` crate, which re-exports both and everything that
//! their expansions name.
//!
//! Each macro is a pure function from tokens to an output and a list of mistakes. It reports all mistakes of an item at
//! once and always emits the item itself, so that one mistake causes no further errors elsewhere.

mod entry;
mod errors;
mod nearest;
mod service;
#[cfg(test)]
mod testing;
mod words;

use proc_macro::TokenStream;

/// Makes a trait a service. It generates a method table `…Definition`, a server `…Server<T>` and a client `…Client`,
/// all independent of the transport.
///
/// | argument | is | default |
/// |---|---|---|
/// | `package = "inventory.v1"` | the package on the wire, lower-case words joined by dots | required |
/// | `name = "Inventory"` | the service's name on the wire | the trait's name |
/// | `access = "operator"` | the class of callers that the methods are for, unless a method names another: `public`, `member`, `operator` or `application` | `application` |
/// | `crate = ::path` | the path of the `polywire` crate, if it was renamed | `::polywire` |
///
/// A method is an `async fn` that takes `&self`, an optional `&Context` and one request, and returns a `Result`. Request
/// and response are each a message or a `Streaming` of messages; the response may be wrapped in a `Response`. The macro
/// recognises these names by the last segment of the path. The error is `Status` or converts into it.
///
/// `#[rpc(…)]` on a method sets options, all optional:
///
/// | option | meaning |
/// |---|---|
/// | `idempotent` | two calls have the effect of one, so a call may be retried |
/// | `timeout = "5s"` | the longest duration of a call, streams included: an integer and `ms`, `s`, `m` or `h`. Both ends enforce it. An earlier deadline of the call takes precedence |
/// | `name = "Get"` | the name on the wire; by default the method's name in `UpperCamelCase` |
/// | `max_message_bytes = 65536` | the largest message in either direction, in bytes |
/// | `access = "public"` | the class of callers that the method is for: `public` for all, `member` for members of the cluster, `operator` for those who operate the node, `application` for the application's callers. By default that of the service |
///
/// The client also implements the trait if each of the trait's error types is `From<Status>` and the client meets the
/// trait's supertraits.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(arguments.into(), item.into()).into_tokens().into()
}

/// Makes a function that returns a node builder, or a `Result` of one, the `main` of a node binary with the commands
/// `serve`, `gateway`, `call`, `services`, `config` and `id`. The function may be `async`.
///
/// | argument | is |
/// |---|---|
/// | `transports = [Pigeon, Drum]` | transports to register, so that targets and configurations may name them |
/// | `crate = ::path` | the path of the `polywire` crate, if it was renamed |
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(arguments.into(), item.into()).into_tokens().into()
}
