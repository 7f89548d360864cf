use super::{Address, Listening, NAME, bound, target};
use crate::{
    ConnectOptions, Status, settings,
    transport::{BindContext, BindError, Connected, Scheme, Transport},
};

/// The transport: peer-to-peer QUIC, dialled by key.
#[derive(Clone, Copy, Debug)]
pub struct Iroh;

impl Transport for Iroh {
    type Config = settings::Iroh;
    type Address = Address;
    type Bound = Listening;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[target::URL, target::TICKET]
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<Address, String> {
        if scheme == target::TICKET.name { Address::parse_ticket(rest) } else { Address::parse(rest) }
    }

    async fn connect(&self, address: Address, options: ConnectOptions) -> Result<Connected, Status> {
        target::connect(address, options).await
    }

    async fn bind(&self, config: settings::Iroh, node: BindContext) -> Result<Listening, BindError> {
        bound::bind(config, node).await
    }
}
