//! The service that polywire's contestants serve and call.

use std::future::Future;

use bytes::Bytes;
use polywire::{
    __private::{Definition, Dispatch},
    Body, Call, Channel, Context, Method, Response, Service, ServiceInfo, Status,
};
use serde::{Deserialize, Serialize};

/// What is sent and comes back, in protobuf `bytes` and in MessagePack `bin`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub struct Packet {
    /// The bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub payload: Bytes,
}

/// Sends back what it is sent.
pub trait Echo: Send + Sync + 'static {
    /// The same packet.
    fn echo(&self, packet: Packet) -> impl Future<Output = Result<Packet, Status>> + Send;
}

/// The echo itself.
#[derive(Clone, Copy, Debug)]
pub struct Wall;

impl Echo for Wall {
    async fn echo(&self, packet: Packet) -> Result<Packet, Status> {
        Ok(packet)
    }
}

/// Def.
#[derive(Clone, Copy, Debug)]
pub struct EchoDefinition;
impl Definition for EchoDefinition {
    const SERVICE: ServiceInfo =
        ServiceInfo::new("polywire.bench.v1.Echo", "", &[Method::unary("/polywire.bench.v1.Echo/Echo")]);
}
impl<T: Echo> Dispatch<T> for EchoDefinition {
    async fn dispatch(
        service: &T,
        method: &'static Method,
        cx: &Context,
        body: Body,
    ) -> Result<Response<Body>, Status> {
        match method.name() {
            "Echo" => polywire::__private::respond::<Packet, _, _>(
                <T as Echo>::echo(service, polywire::__private::one::<Packet>(body).await?).await,
            ),
            _ => Err(polywire::__private::unimplemented(cx)),
        }
    }
}
/// Srv.
pub type EchoServer<T> = polywire::Server<EchoDefinition, T>;
/// Client.
#[derive(Clone, Debug)]
pub struct EchoClient {
    channel: Channel,
}
impl EchoClient {
    /// New.
    pub fn new(channel: impl Service) -> Self {
        Self { channel: channel.into_channel() }
    }
    /// Echo.
    pub fn echo(&self, packet: Packet) -> Call<Packet> {
        Call::new(
            &self.channel,
            const { polywire::__private::method::<EchoDefinition>("Echo") },
            Body::one(packet),
        )
    }
}
