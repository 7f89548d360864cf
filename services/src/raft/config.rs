use super::{Command, Member, Outcome};

openraft::declare_raft_types!(
    /// What this cluster's Raft is made of.
    pub TypeConfig:
        D = Command,
        R = Outcome,
        NodeId = u64,
        Node = Member,
        Entry = openraft::Entry<Self>,
        SnapshotData = tokio::fs::File,
        AsyncRuntime = openraft::TokioRuntime,
);
