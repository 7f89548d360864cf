//! The real node, as a process.

mod access;
mod adapted;
mod assembled;
mod call;
mod calls_log;
mod certificates;
mod config;
mod drain;
mod http;
mod identity;
mod layers;
mod leftovers;
mod log;
mod panics;
mod ports;
mod reload;
mod serve;
mod tls;
mod transports;

use polywire::{Channel, ConnectOptions, Target};
use polywire_proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};
use polywire_services::health::HealthClient;

/// A channel to the target.
pub(crate) async fn connect(target: &str) -> Channel {
    target.parse::<Target>().unwrap().connect(&ConnectOptions::default()).await.unwrap()
}

/// What the node at the target says of a service.
pub(crate) async fn health(target: &str, service: &str) -> Result<ServingStatus, polywire::Status> {
    let client = HealthClient::new(connect(target).await);
    Ok(status(&client.check(ask(service)).await?))
}

pub(crate) fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

pub(crate) fn status(answer: &HealthCheckResponse) -> ServingStatus {
    answer.status()
}
