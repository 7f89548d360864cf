//! The cases that a client runs, each a function over the generated client. Source of names, sizes and
//! expectations: [interop test descriptions](https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md).

mod cancellation;
mod compression;
mod expect;
mod metadata;
mod status;
mod streaming;
mod unary;

use std::{fmt, future::Future, pin::Pin};

use polywire::Channel;

pub use expect::Failure;

use crate::{
    messages::Payload,
    service::{TestServiceClient, UnimplementedServiceClient},
};

/// The server under test.
#[derive(Clone, Debug)]
pub struct Peer {
    test: TestServiceClient,
    unimplemented: UnimplementedServiceClient,
}

impl Peer {
    /// The peer that answers.
    pub fn new(channel: Channel) -> Self {
        Self {
            test: TestServiceClient::new(channel.clone()),
            unimplemented: UnimplementedServiceClient::new(channel),
        }
    }
}

/// One case.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    run: for<'a> fn(&'a Peer) -> Running<'a>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

impl Case {
    const fn new(name: &'static str, run: for<'a> fn(&'a Peer) -> Running<'a>) -> Self {
        Self { name, run }
    }

    /// The case of this name.
    pub fn find(name: &str) -> Option<Self> {
        ALL.iter().find(|case| case.name == name).copied()
    }

    /// The name, as the gRPC project has it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub async fn run(&self, peer: &Peer) -> Result<(), Failure> {
        (self.run)(peer).await
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// Every case, in the order in which `all` runs them.
pub const ALL: &[Case] = &[
    Case::new("empty_unary", |peer| Box::pin(unary::empty(peer))),
    Case::new("large_unary", |peer| Box::pin(unary::large(peer))),
    Case::new("cacheable_unary", |peer| Box::pin(unary::cacheable(peer))),
    Case::new("client_streaming", |peer| Box::pin(streaming::client(peer))),
    Case::new("server_streaming", |peer| Box::pin(streaming::server(peer))),
    Case::new("ping_pong", |peer| Box::pin(streaming::ping_pong(peer))),
    Case::new("empty_stream", |peer| Box::pin(streaming::empty(peer))),
    Case::new("timeout_on_sleeping_server", |peer| Box::pin(cancellation::timeout(peer))),
    Case::new("cancel_after_begin", |peer| Box::pin(cancellation::after_begin(peer))),
    Case::new("cancel_after_first_response", |peer| Box::pin(cancellation::after_first_response(peer))),
    Case::new("status_code_and_message", |peer| Box::pin(status::code_and_message(peer))),
    Case::new("special_status_message", |peer| Box::pin(status::special_message(peer))),
    Case::new("unimplemented_method", |peer| Box::pin(status::unimplemented_method(peer))),
    Case::new("unimplemented_service", |peer| Box::pin(status::unimplemented_service(peer))),
    Case::new("custom_metadata", |peer| Box::pin(metadata::custom(peer))),
    Case::new("client_compressed_unary", |peer| Box::pin(compression::client_unary(peer))),
    Case::new("server_compressed_unary", |peer| Box::pin(compression::server_unary(peer))),
    Case::new("client_compressed_streaming", |peer| Box::pin(compression::client_streaming(peer))),
    Case::new("server_compressed_streaming", |peer| Box::pin(compression::server_streaming(peer))),
];

/// The bytes of the requests of the streaming cases.
const REQUEST_SIZES: [usize; 4] = [27_182, 8, 1_828, 45_904];

/// The bytes of their answers.
const RESPONSE_SIZES: [i32; 4] = [31_415, 9, 2_653, 58_979];

/// The bytes of a large request.
const LARGE_REQUEST: usize = 271_828;

/// The bytes of a large answer.
const LARGE_RESPONSE: i32 = 314_159;

/// That many zeros.
fn zeros(size: usize) -> Option<Payload> {
    Some(Payload { body: vec![0; size].into(), ..Payload::default() })
}
