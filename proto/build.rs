//! Compiles the `.proto` files without protoc.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

/// The names that older clients call: a node has their schemas only where it serves them.
const BLIXARD: &str = "blixard/blixard.proto";

const FILES: [&str; 12] = [
    BLIXARD,
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "grpc/reflection/v1alpha/reflection.proto",
    "polywire/access/v1/access.proto",
    "polywire/cluster/v1/cluster.proto",
    "polywire/directory/v1/directory.proto",
    "polywire/health/v1/health.proto",
    "polywire/kv/v1/kv.proto",
    "polywire/monitoring/v1/monitoring.proto",
    "polywire/raft/v1/raft.proto",
    "polywire/status/v1/status.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let (mut own, mut blixard) = (descriptors.clone(), descriptors.clone());
    own.file.retain(|file| file.name() != BLIXARD);
    blixard.file.retain(|file| file.name() == BLIXARD);
    fs::write(out.join("descriptors.bin"), own.encode_to_vec())?;
    fs::write(out.join("blixard.bin"), blixard.encode_to_vec())?;
    prost_build::Config::new()
        .bytes(["."])
        .btree_map(["."])
        .enable_type_names()
        .message_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]")
        .enum_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]")
        .compile_fds(descriptors)?;
    Ok(())
}
