use std::{
    collections::HashMap,
    fmt,
    future::ready,
    sync::{Arc, Weak},
    time::Duration,
};

use ::iroh::{Endpoint, EndpointAddr, EndpointId, endpoint::Connection};
use futures_util::future::BoxFuture;

use super::{ALPN, NAME, QuicProfile, dial::Dial, known::Known};
use crate::{
    Caller, Channel, Codec, Context, Identity, Limits, Payload, Response, Service, Status, Streaming,
    sync::Mutex,
    transport::{
        ConnectionGauge, Outbound,
        framed::{self, Link},
    },
};

/// Dials peers over one endpoint and pools the connections: one a peer and ALPN, dialled once however many
/// calls race for it, and dialled again after it died. A connection lives as long as a [`Peer`] for it.
///
/// Clones share the pool.
#[derive(Clone)]
pub struct Dialer {
    endpoint: Endpoint,
    outbound: Outbound,
    profile: QuicProfile,
    connect_timeout: Duration,
    own: Option<Channel>,
    known: Known,
    gauge: Option<Arc<dyn ConnectionGauge>>,
    pool: Arc<Mutex<Pool>>,
}

/// The links in use.
type Pool = HashMap<(EndpointId, Vec<Vec<u8>>), Weak<Link<Dial>>>;

impl Dialer {
    /// Dials over this endpoint, which need not be polywire's: its own QUIC settings are left alone, the
    /// connections made here have [`QuicProfile::default`]. MessagePack, [`Limits::default`], 5 s to
    /// connect.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            outbound: Outbound { codec: Codec::MessagePack, limits: Limits::default() },
            profile: QuicProfile::default(),
            connect_timeout: Duration::from_secs(5),
            own: None,
            known: Known::default(),
            gauge: None,
            pool: Arc::default(),
        }
    }

    /// Encodes calls that name no codec with this one.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.outbound.codec = codec;
        self
    }

    /// The limits on what is sent and on answers.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.outbound.limits = limits;
        self
    }

    /// How QUIC is tuned. The dialler has connections of its own from now on.
    #[must_use]
    pub fn profile(mut self, profile: QuicProfile) -> Self {
        self.profile = profile;
        self.pool = Arc::default();
        self
    }

    /// How long a connection may take to be made; then its calls fail with `Unavailable`. Default 5 s:
    /// iroh itself gives up after 30. The dialler has connections of its own from
    /// now on.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self.pool = Arc::default();
        self
    }

    /// Answers calls to this endpoint's own id with the service, without a network: QUIC cannot dial
    /// itself.
    #[must_use]
    pub fn own_service(mut self, service: impl Service) -> Self {
        self.own = Some(Channel::new(service));
        self
    }

    /// Tells this of every connection that is made from now on, and of its end. One that is in the pool already goes
    /// on as it began.
    #[must_use]
    pub fn gauge(mut self, gauge: Arc<dyn ConnectionGauge>) -> Self {
        self.gauge = Some(gauge);
        self
    }

    /// The peer at this address, over the framework's ALPN. Nothing is dialled before the first call.
    pub fn peer(&self, address: impl Into<EndpointAddr>) -> Peer {
        self.peer_with_alpns(address, [ALPN])
    }

    /// The peer at this address, over the first of these ALPNs that the peer prefers. Nothing is dialled
    /// before the first call.
    ///
    /// # Panics
    /// When there are none.
    pub fn peer_with_alpns<A: AsRef<[u8]>>(
        &self,
        address: impl Into<EndpointAddr>,
        alpns: impl IntoIterator<Item = A>,
    ) -> Peer {
        let address = address.into();
        let alpns: Vec<_> = alpns.into_iter().map(|alpn| alpn.as_ref().to_vec()).collect();
        assert!(!alpns.is_empty(), "a peer is dialled with at least one ALPN");
        let own = (address.id == self.endpoint.id()).then(|| self.own_peer());
        Peer { peer: framed::Peer::on(self.link(address, alpns), self.outbound.clone()), own }
    }

    fn link(&self, address: EndpointAddr, alpns: Vec<Vec<u8>>) -> Arc<Link<Dial>> {
        let mut pool = self.pool.lock();
        let key = (address.id, alpns);
        if let Some(link) = pool.get(&key).and_then(Weak::upgrade) {
            if link.dial.learn(address) {
                // The connection may be one with the process before; where it is not, there are two for a while.
                link.forget();
            }
            return link;
        }
        pool.retain(|_, link| link.strong_count() > 0);
        let link = Arc::new(Link::new(Dial {
            endpoint: self.endpoint.clone(),
            address: Mutex::new(address),
            alpns: key.1.clone(),
            profile: self.profile.clone(),
            timeout: self.connect_timeout,
            known: self.known.clone(),
            gauge: self.gauge.clone(),
        }));
        pool.insert(key, Arc::downgrade(&link));
        link
    }

    /// The connections that it makes.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    fn own_peer(&self) -> OwnPeer {
        let identity = Identity::Key(*self.endpoint.id().as_bytes());
        let caller = Caller::new(NAME).with_identity(identity).local();
        OwnPeer { service: self.own.clone(), caller: Arc::new(caller) }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("id", &self.endpoint.id()).finish_non_exhaustive()
    }
}

/// One peer, dialled by key: a [`Service`]. Clones share the connection.
#[derive(Clone)]
pub struct Peer {
    peer: framed::Peer<Dial>,
    own: Option<OwnPeer>,
}

/// This endpoint itself.
#[derive(Clone)]
struct OwnPeer {
    service: Option<Channel>,
    caller: Arc<Caller>,
}

impl Peer {
    /// The peer at this address, dialled over an endpoint that you have, with the defaults of
    /// [`Dialer::new`]. It has a connection of its own: keep it, or clone it, rather than make one a call.
    pub fn new(endpoint: Endpoint, address: impl Into<EndpointAddr>) -> Self {
        Dialer::new(endpoint).peer(address)
    }

    /// The link of the connection, which exists while the peer is in use.
    pub(super) fn weak_link(&self) -> Weak<Link<Dial>> {
        Arc::downgrade(self.peer.link())
    }

    /// The connection, made if there is none: to see its paths, round trip and ALPN.
    ///
    /// # Errors
    /// `Unavailable` when the peer cannot be reached in time, `Unimplemented` when it accepts none of the
    /// ALPNs.
    ///
    /// # Cancel safety
    /// Safe: a dial is shared, and goes on while another caller waits for it.
    pub async fn connection(&self) -> Result<Connection, Status> {
        let link = self.peer.link();
        let connection = link.connection(None).await?;
        if connection.get().close_reason().is_none() {
            return Ok(connection.get().clone());
        }
        let connection = link.connection(Some(&connection)).await?;
        Ok(connection.get().clone())
    }
}

impl OwnPeer {
    fn enter(&self, mut cx: Context) -> Result<(&Channel, Context), Status> {
        let service = self.service.as_ref().ok_or_else(|| {
            Status::failed_precondition("this is the endpoint's own id, and it was not told what it serves")
                .not_processed()
        })?;
        cx.caller = Some(self.caller.clone());
        Ok((service, cx))
    }
}

impl Peer {
    pub(super) fn call(
        &self,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        let Some(own) = &self.own else { return Box::pin(self.peer.call(cx, message)) };
        match own.enter(cx) {
            Ok((service, cx)) => service.call(cx, message),
            Err(status) => Box::pin(ready(Err(status))),
        }
    }
}

impl Service for Peer {
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        self.call(cx, message)
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.call(cx, message)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        if let Some(own) = &self.own {
            let (service, cx) = own.enter(cx)?;
            return Box::pin(service.stream(cx, messages)).await;
        }
        self.peer.stream(cx, messages).await
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("link", self.peer.link()).finish_non_exhaustive()
    }
}
