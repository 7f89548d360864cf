//! The gRPC project's interoperability test service, by tonic alone: what its code generator would write is written
//! by hand, and nothing of polywire is on the way of a call.
//!
//! Prints one line of JSON once it listens, its target, and serves until it is killed.

mod flags;
mod service;
mod test_service;

use std::error::Error;

use tonic::transport::{Server, server::TcpIncoming};

use service::TestServiceServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("{}", serde_json::json!({ "grpc": format!("grpc://{}", incoming.local_addr()?) }));
    Server::builder().add_service(TestServiceServer).serve_with_incoming(incoming).await?;
    Ok(())
}
