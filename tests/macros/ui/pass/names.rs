//! Names that the expansion uses itself: of messages, arguments and functions in scope.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

/// Types whose names are taken elsewhere too.
pub mod named {
    pub use super::messages::{GetRequest as T, GetRequest as Option, Item as Context2, Item as Result2};
    pub use super::messages::{GetRequest as S, Item as Method, Item as Body, Item as Duration};
}

use named::*;
use polywire::{Context, Status, Streaming};

/// Whatever.
#[polywire::service(package = "names.v1")]
pub trait Names {
    /// A parameter's name.
    async fn one(&self, service: T) -> Result<Result2, Status>;
    /// A prelude's name.
    async fn many(&self, cx: &Context, body: Option) -> Result<Context2, Status>;
    /// A runtime's name.
    async fn respond(&self, method: Method) -> Result<Body, Status>;
    /// Another parameter's name.
    #[rpc(timeout = "1s")]
    async fn dispatch(&self, cx: S) -> Result<Duration, Status>;
    /// A field's name.
    async fn channel(&self, channel: Streaming<Context2>) -> Result<Streaming<Result2>, Status>;
}

fn main() {
    fn is_names<A: Names>() {}
    is_names::<NamesClient>();
}
