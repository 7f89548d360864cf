use super::{Address, Listening, NAME, bound, target};
use crate::{
    Codec, ConnectOptions, Status, settings,
    transport::{BindContext, BindError, Connected, Scheme, Transport},
};

/// The transport: gRPC over HTTP/2, in plaintext or under TLS.
#[derive(Clone, Copy, Debug)]
pub struct Grpc;

impl Transport for Grpc {
    type Config = settings::Grpc;
    type Address = Address;
    type Bound = Listening;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[target::PLAIN, target::TLS]
    }

    /// Protobuf: what every gRPC peer speaks.
    fn codec(&self) -> Codec {
        Codec::Protobuf
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<Address, String> {
        Address::parse(rest, scheme == target::TLS.name)
    }

    async fn connect(&self, address: Address, options: ConnectOptions) -> Result<Connected, Status> {
        target::connect(address, options).await
    }

    async fn bind(&self, config: settings::Grpc, node: BindContext) -> Result<Listening, BindError> {
        bound::bind(config, &node).await
    }
}
