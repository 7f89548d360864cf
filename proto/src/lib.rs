//! The messages of polywire's built-in services, generated from the `.proto` files beside this crate's
//! manifest, and their descriptors.

/// Every `.proto` file of this crate but blixard's, as an encoded `google.protobuf.FileDescriptorSet`.
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
        /// `grpc.reflection.v1alpha`: the same under its older name.
        #[allow(missing_docs, clippy::all)]
        pub mod v1alpha {
            include!(concat!(env!("OUT_DIR"), "/grpc.reflection.v1alpha.rs"));
        }
    }
}

/// `polywire.access`.
pub mod access {
    /// `polywire.access.v1`: who may call which methods of a node.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.access.v1.rs"));
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

/// `polywire.status`.
pub mod status {
    /// `polywire.status.v1`: how the cluster and its consensus are.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.status.v1.rs"));
    }
}

/// `polywire.health`.
pub mod health {
    /// `polywire.health.v1`: how a node is, and why.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.health.v1.rs"));
    }
}

/// `polywire.monitoring`.
pub mod monitoring {
    /// `polywire.monitoring.v1`: what a node measures of itself, of its machine and of its peers.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/polywire.monitoring.v1.rs"));
    }
}

/// `blixard`: what clients call that are older than polywire.
#[allow(missing_docs, clippy::all)]
pub mod blixard {
    /// Its `.proto` file, as an encoded `google.protobuf.FileDescriptorSet`.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/blixard.bin"));

    include!(concat!(env!("OUT_DIR"), "/blixard.rs"));
}
