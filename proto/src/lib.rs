//! The messages of polywire's built-in services, generated from the `.proto` files beside this crate's
//! manifest, and their descriptors.

/// Every `.proto` file of this crate, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Packages of the gRPC project.
pub mod grpc {
    /// `grpc.health`.
    pub mod health {
        /// `grpc.health.v1`: the standard health service.
        #[allow(missing_docs, clippy::all)]
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
        }
    }
    /// `grpc.reflection`.
    pub mod reflection {
        /// `grpc.reflection.v1`: the standard reflection service.
        #[allow(missing_docs, clippy::all)]
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/grpc.reflection.v1.rs"));
        }
    }
}

/// `polywire.directory`.
pub mod directory {
    /// `polywire.directory.v1`: what a node serves, and over which transports.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.directory.v1.rs"));
    }
}

/// `polywire.raft`.
pub mod raft {
    /// `polywire.raft.v1`: how the members of a Raft cluster talk to each other.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.raft.v1.rs"));
    }
}

/// `polywire.kv`.
pub mod kv {
    /// `polywire.kv.v1`: a small replicated key-value store.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.kv.v1.rs"));
    }
}

/// `polywire.cluster`.
pub mod cluster {
    /// `polywire.cluster.v1`: forms and changes a cluster.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.cluster.v1.rs"));
    }
}
