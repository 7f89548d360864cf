use super::{
    Address, Config, Listener, NAME,
    address::{PLAIN, TLS},
    dial, listener,
};
use crate::{
    ConnectOptions, Status,
    transport::{
        BindContext, BindError, Scheme,
        framed::{Listening, StreamTransport},
        mux::MuxConnection,
    },
};

/// The transport: WebSockets, in plaintext or under TLS.
#[derive(Clone, Copy, Debug)]
pub struct WebSocket;

impl StreamTransport for WebSocket {
    type Config = Config;
    type Address = Address;
    type Connection = MuxConnection;
    type Listener = Listener;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[PLAIN, TLS]
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<Address, String> {
        Address::parse(rest, scheme == TLS.name)
    }

    async fn dial(&self, address: &Address, options: &ConnectOptions) -> Result<MuxConnection, Status> {
        dial::dial(address, options).await
    }

    async fn listen(&self, config: Config, node: BindContext) -> Result<Listening<Listener>, BindError> {
        listener::listen(config, &node).await
    }
}
