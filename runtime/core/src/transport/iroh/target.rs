//! `iroh://ENDPOINT_ID?addr=ip:port&relay=URL`, and endpoint tickets.

use std::{fmt, sync::Arc};

use ::iroh::{
    Endpoint, EndpointAddr, RelayMode, RelayUrl, SecretKey, TransportAddr, endpoint::presets,
    tls::CaTlsConfig,
};
use futures_util::future::BoxFuture;
use iroh_tickets::endpoint::EndpointTicket;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::runtime::Handle;
use url::form_urlencoded;

use super::{Dialer, Iroh, NAME, Peer, QuicProfile};
use crate::{
    ConnectOptions, Context, Payload, Response, Service, Status, Streaming, Target,
    transport::{Connected, NetworkPath, Scheme, net::Authorities},
};

pub(super) const URL: Scheme = Scheme { name: "iroh", form: "iroh://ENDPOINT_ID?addr=ip:port&relay=URL" };
pub(super) const TICKET: Scheme = Scheme { name: "endpoint", form: "an endpoint ticket (`endpoint…`)" };

/// What would end a value of a query, or be read as something else in it.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+');

/// Where an Iroh endpoint is: its id, and where to look for it.
#[derive(Clone, Debug)]
pub struct Address(EndpointAddr);

impl Address {
    pub(super) fn parse(rest: &str) -> Result<Self, String> {
        let (id, query) = rest.split_once('?').unwrap_or((rest, ""));
        let id = id.trim_end_matches('/');
        if id.is_empty() {
            return Err("the endpoint id is missing".to_owned());
        }
        let id = id.parse().map_err(|_| {
            format!("{id:?} is not an endpoint id, which is a public key of 64 hexadecimal digits")
        })?;
        let mut address = EndpointAddr::new(id);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            address.addrs.insert(parse_hint(&key, &value)?);
        }
        Ok(Self(address))
    }

    pub(super) fn parse_ticket(text: &str) -> Result<Self, String> {
        let ticket: EndpointTicket =
            text.parse().map_err(|error| format!("the ticket cannot be read: {error}"))?;
        Ok(Self(ticket.into()))
    }
}

fn parse_hint(key: &str, value: &str) -> Result<TransportAddr, String> {
    match key {
        "addr" => match value.parse() {
            Ok(address) => Ok(TransportAddr::Ip(address)),
            Err(_) => Err(format!("`addr={value}` is not an IP address and a port")),
        },
        "relay" => match value.parse::<RelayUrl>() {
            Ok(relay) => Ok(TransportAddr::Relay(relay)),
            Err(error) => Err(format!("`relay={value}` is not a URL: {error}")),
        },
        other => Err(format!("`{other}` is not known, only `addr` and `relay` are")),
    }
}

impl From<EndpointAddr> for Target {
    /// The target that leads to this address, for printing it.
    fn from(address: EndpointAddr) -> Self {
        Self::new(Iroh, Address(address))
    }
}

impl Address {
    /// Whether the peer can only be on this machine.
    fn is_local(&self) -> bool {
        let mut hints = self.0.addrs.iter().peekable();
        hints.peek().is_some()
            && hints.all(|hint| matches!(hint, TransportAddr::Ip(address) if address.ip().is_loopback()))
    }

    /// An endpoint for nothing but calls to this peer.
    async fn endpoint(&self, options: &ConnectOptions) -> Result<Endpoint, Status> {
        let relays: Vec<_> = self.0.relay_urls().cloned().collect();
        let relay_mode = if relays.is_empty() { RelayMode::Disabled } else { RelayMode::custom(relays) };
        let mut builder = Endpoint::builder(presets::Minimal)
            .relay_mode(relay_mode)
            .transport_config(QuicProfile::default().transport_config());
        if let Some(file) = &options.ca_file {
            // For relays over https; the peer itself is known by its key.
            builder = builder.ca_tls_config(CaTlsConfig::custom_roots(Authorities::read(file)?.certificates));
        }
        if let Some(key) = &options.secret_key {
            builder = builder.secret_key(SecretKey::from_bytes(key));
        }
        if self.is_local() {
            let v6 = self.0.ip_addrs().any(|address| address.is_ipv6());
            builder = builder.clear_ip_transports().bind_addr("127.0.0.1:0").map_err(unbound)?;
            if v6 {
                builder = builder.bind_addr("[::1]:0").map_err(unbound)?;
            }
        }
        builder.bind().await.map_err(unbound)
    }
}

pub(super) async fn connect(address: Address, options: ConnectOptions) -> Result<Connected, Status> {
    if let Some(dialer) = options.get::<Dialer>() {
        let peer = with_options(dialer.clone(), &options).peer(address.0);
        let (way, renew) = (way(&peer), renew(&peer));
        return Ok(Connected::new(peer).over(way).renewing(renew));
    }
    let endpoint = address.endpoint(&options).await?;
    let dialer = Dialer::new(endpoint.clone()).connect_timeout(options.connect_timeout);
    let peer = with_options(dialer, &options).peer(address.0);
    let own = Arc::new(OwnEndpoint(endpoint));
    // What closes holds what closes by itself once dropped: of two that close, iroh lets the second return
    // before the peer has been told.
    let (way, renew) = (way(&peer), renew(&peer));
    let connected = Connected::new(OnOwnEndpoint { peer, endpoint: own.clone() });
    Ok(connected.over(way).renewing(renew).closing(async move { own.0.close().await }))
}

/// Tells which way the packets to the peer take.
fn way(peer: &Peer) -> impl Fn() -> Option<NetworkPath> + Send + Sync + use<> {
    let link = peer.weak_link();
    move || link.upgrade()?.path()
}

/// Forces a reconnect on the next call.
fn renew(peer: &Peer) -> impl Fn() + Send + Sync + use<> {
    let link = peer.weak_link();
    move || {
        if let Some(link) = link.upgrade() {
            link.forget();
        }
    }
}

fn with_options(mut dialer: Dialer, options: &ConnectOptions) -> Dialer {
    if let Some(codec) = options.codec {
        dialer = dialer.codec(codec);
    }
    if let Some(limits) = &options.limits {
        dialer = dialer.limits(limits.clone());
    }
    if let Some(gauge) = options.gauge(NAME) {
        dialer = dialer.gauge(gauge);
    }
    dialer
}

fn unbound(error: impl fmt::Display) -> Status {
    Status::unavailable(format!("no UDP socket for Iroh: {error}")).not_processed()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.addrs.iter().any(TransportAddr::is_custom) {
            // A query has no words for these; a ticket does.
            return EndpointTicket::new(self.0.clone()).fmt(f);
        }
        write!(f, "iroh://{}", self.0.id)?;
        let addresses = self.0.ip_addrs().map(|address| ("addr", address.to_string()));
        let relays = self.0.relay_urls().map(|relay| ("relay", relay.to_string()));
        for (index, (key, value)) in addresses.chain(relays).enumerate() {
            let before = if index == 0 { '?' } else { '&' };
            write!(f, "{before}{key}={}", utf8_percent_encode(&value, ESCAPED))?;
        }
        Ok(())
    }
}

/// A peer, and the endpoint that was made for it alone.
struct OnOwnEndpoint {
    peer: Peer,
    endpoint: Arc<OwnEndpoint>,
}

impl Service for OnOwnEndpoint {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.peer.unary(cx, message).await
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.peer.call(cx, message)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let response = self.peer.stream(cx, messages).await?;
        // The answers may outlive the client that asked for them.
        Ok(response.map(|answers| answers.holding(self.endpoint.clone())))
    }
}

/// An endpoint of its own, which is closed with its last use.
struct OwnEndpoint(Endpoint);

impl Drop for OwnEndpoint {
    fn drop(&mut self) {
        // An endpoint that is merely dropped leaves its peer to wait for the idle timeout.
        if let (false, Ok(runtime)) = (self.0.is_closed(), Handle::try_current()) {
            let endpoint = self.0.clone();
            runtime.spawn(async move { endpoint.close().await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Channel, Codec,
        iroh::{ALPN, Handler},
    };

    const ID: &str = "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6";

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn a_target_is_printed_as_it_was_written() {
        for text in [
            format!("iroh://{ID}"),
            format!("iroh://{ID}?addr=127.0.0.1:4433&addr=[::1]:4433"),
            format!("iroh://{ID}?addr=10.0.0.1:1&relay=https://relay.example/"),
        ] {
            assert_eq!(target(&text).to_string(), text);
        }
    }

    #[test]
    fn a_ticket_is_the_target_that_it_was_made_of() {
        let id = ID.parse().unwrap();
        let address = EndpointAddr::new(id)
            .with_ip_addr("192.0.2.1:4433".parse().unwrap())
            .with_relay_url("https://relay.example/".parse().unwrap());
        let ticket = EndpointTicket::new(address).to_string();
        let text = format!("iroh://{ID}?addr=192.0.2.1:4433&relay=https://relay.example/");
        assert_eq!(target(&ticket), target(&text));
    }

    #[test]
    fn what_is_escaped_in_a_relay_survives() {
        let relay = "https://relay.example/?key=a%26b%2Bc";
        let escaped: String = form_urlencoded::byte_serialize(relay.as_bytes()).collect();
        let read = target(&format!("iroh://{ID}?relay={escaped}"));
        assert_eq!(target(&read.to_string()), read);
        let same = target(&format!("iroh://{ID}?relay={}", utf8_percent_encode(relay, ESCAPED)));
        assert_eq!(read, same);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("iroh://".to_owned(), "the endpoint id is missing"),
            ("iroh://abc".to_owned(), "is not an endpoint id"),
            (format!("iroh://{ID}?addr=localhost:1"), "`addr=localhost:1` is not an IP address and a port"),
            (format!("iroh://{ID}?addr=127.0.0.1"), "is not an IP address and a port"),
            (format!("iroh://{ID}?relay=nonsense"), "`relay=nonsense` is not a URL"),
            (format!("iroh://{ID}?address=127.0.0.1:1"), "`address` is not known"),
            ("endpointabc".to_owned(), "the ticket cannot be read"),
        ];
        for (text, reason) in cases {
            let message = text.parse::<Target>().unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn only_a_peer_on_this_machine_is_dialled_from_loopback() {
        let local = |query: &str| {
            let id = ID.parse().unwrap();
            let hints = form_urlencoded::parse(query.as_bytes()).map(|(key, value)| parse_hint(&key, &value));
            Address(EndpointAddr::from_parts(id, hints.map(Result::unwrap))).is_local()
        };
        assert!(local("addr=127.0.0.1:1&addr=[::1]:1"));
        assert!(!local("addr=127.0.0.1:1&addr=192.0.2.1:1"));
        assert!(!local("addr=127.0.0.1:1&relay=https://relay.example"));
        assert!(!local(""));
    }

    /// Answers each call with its request.
    struct Echo;

    impl Service for Echo {
        async fn unary(&self, _: Context, message: Payload) -> Result<Response<Payload>, Status> {
            Ok(Response::new(message))
        }

        async fn stream(
            &self,
            _: Context,
            messages: Streaming<Payload>,
        ) -> Result<Response<Streaming<Payload>>, Status> {
            Ok(Response::new(messages))
        }
    }

    /// An echo on loopback, and a channel to it over an endpoint of its own.
    async fn connected() -> (::iroh::protocol::Router, Channel) {
        let endpoint = Endpoint::builder(presets::Minimal)
            .clear_ip_transports()
            .bind_addr("127.0.0.1:0")
            .unwrap()
            .bind()
            .await
            .unwrap();
        let router =
            ::iroh::protocol::Router::builder(endpoint.clone()).accept(ALPN, Handler::new(Echo)).spawn();
        let target = target(&Target::from(endpoint.addr()).to_string());
        (router, target.connect(&ConnectOptions::new()).await.unwrap())
    }

    fn cx() -> Context {
        Context { path: crate::context::Path::Static("/a.A/Get"), ..Context::new() }
    }

    fn message() -> Payload {
        Payload::encoded(Codec::MessagePack, "\u{1}".into())
    }

    #[tokio::test]
    async fn a_peer_is_called_by_its_target_and_let_go_with_the_channel() {
        let (router, channel) = connected().await;
        let answer = channel.unary(cx(), message()).await.unwrap().into_message();
        assert_eq!(answer.as_encoded(Codec::MessagePack).unwrap(), "\u{1}");
        router.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_outlives_the_channel_that_it_came_of() {
        let (router, channel) = connected().await;
        let (requests, messages) = Streaming::channel(1);
        requests.send(Ok(message())).await.unwrap();
        let mut answers = channel.stream(cx(), messages).await.unwrap().into_message();
        assert!(answers.message().await.unwrap().is_some());
        drop(channel);
        for _ in 0..3 {
            tokio::task::yield_now().await;
            requests.send(Ok(message())).await.unwrap();
            assert!(answers.message().await.unwrap().is_some());
        }
        drop(requests);
        assert!(answers.message().await.unwrap().is_none());
        router.shutdown().await.unwrap();
    }
}
