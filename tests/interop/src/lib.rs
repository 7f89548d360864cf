//! The interoperability tests of the gRPC project, on every transport: its test service, implemented as an
//! annotated trait, and its cases, run by the generated client.
//!
//! The binaries `interop-server` and `interop-client` are made of this. Foreign clients call the one, the other
//! calls foreign servers. Source of the service and of the cases:
//! [interop test descriptions](https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md).

pub mod cases;
pub mod compressed;
pub mod echo;
pub mod implementation;
pub mod service;

/// The messages of `grpc.testing`, generated from the `.proto` files beside this crate's manifest.
#[allow(missing_docs, clippy::all)]
pub mod messages {
    include!(concat!(env!("OUT_DIR"), "/grpc.testing.rs"));
}

/// The `.proto` files, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
