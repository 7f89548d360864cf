use super::{
    Address, Config, Connection, Listener, NAME, address, dial::dial, endpoint::ClientEndpoints, listener,
};
use crate::{
    ConnectOptions, Status,
    transport::{
        BindContext, BindError, Scheme,
        framed::{Batched, Listening, StreamTransport},
    },
};

/// The transport: plain QUIC. Clones share the UDP sockets that they dial from.
#[derive(Clone, Debug, Default)]
pub struct Quic {
    endpoints: ClientEndpoints,
}

impl StreamTransport for Quic {
    type Config = Config;
    type Address = Address;
    type Connection = Batched<Connection>;
    type Listener = Listener;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[address::SCHEME]
    }

    fn parse(&self, _: &'static str, rest: &str) -> Result<Address, String> {
        Address::parse(rest)
    }

    async fn dial(&self, address: &Address, options: &ConnectOptions) -> Result<Batched<Connection>, Status> {
        Ok(Batched::new(dial(&self.endpoints, address, options).await?))
    }

    async fn listen(&self, config: Config, node: BindContext) -> Result<Listening<Listener>, BindError> {
        listener::listen(config, node).await
    }
}
