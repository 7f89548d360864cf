//! `grpc://host:port` and `grpcs://host:port`.

use std::{fmt, sync::Arc, time::Duration};

use http::uri::Authority;
use rustls::pki_types::ServerName;
use tonic::transport::Endpoint;

use super::{
    Connection,
    client::Http2,
    connector::{ALPN, Connector, Encryption},
    keep_alive::KeptAlive,
    renewing::Renewing,
};
use crate::{
    Channel, Code, ConnectOptions, Limits, Status,
    transport::{
        Connected, NetworkPath, Scheme,
        net::{FirstByte, PublicKey, ServerTrust, distrusted, mispinned},
    },
};

pub(super) const PLAIN: Scheme = Scheme { name: "grpc", form: "grpc://host:port" };
pub(super) const TLS: Scheme =
    Scheme { name: "grpcs", form: "grpcs://host:port or grpcs://host:port?key=NODE_ID" };

/// What a peer may send on one stream, and on one connection, before it waits to be read: HTTP/2's own
/// 64 KiB (RFC 9113, section 6.9.2) hold a stream to 3 MB/s at 20 ms.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// How long a silent TCP connection waits for each probe of whether the peer is still there, three of
/// which may be lost. Servers do not see these, and take no offence.
const TCP_PROBE: Duration = Duration::from_secs(5);

/// Where a gRPC server is: `grpc://host:port`, or `grpcs://host:port` under TLS, with the key that it must have where the
/// target names one.
#[derive(Clone, Debug)]
pub struct Address {
    authority: Authority,
    tls: bool,
    key: Option<PublicKey>,
}

impl Address {
    pub(super) fn parse(rest: &str, tls: bool) -> Result<Self, String> {
        if rest.contains('@') {
            return Err("a user name has no place there".to_owned());
        }
        let (rest, key) = match rest.split_once("?key=") {
            Some((rest, key)) if tls => {
                let key = key.parse().map_err(|error| format!("`key={key}`: {error}"))?;
                (rest, Some(key))
            }
            _ => (rest, None),
        };
        if rest.contains(['/', '?', '#']) {
            return Err("something follows the port".to_owned());
        }
        let authority: Authority = rest.parse().map_err(|_| "the host is malformed".to_owned())?;
        if authority.host().is_empty() {
            return Err("the host is missing".to_owned());
        }
        match authority.port_u16() {
            Some(0) => Err("port 0 cannot be dialled".to_owned()),
            Some(_) => Ok(Self { authority, tls, key }),
            None if authority.as_str() == authority.host() => Err("the port is missing".to_owned()),
            None => Err("the port is not a number from 1 to 65535".to_owned()),
        }
    }

    fn channel(&self, options: &ConnectOptions) -> Result<Channel, Status> {
        let endpoint = self.endpoint(options)?;
        let first = FirstByte::default();
        let encryption = self.encryption(options)?;
        let connector = Connector::new(&endpoint, options, encryption, first.clone());
        Ok(match options.keep_alive_interval {
            None => over(endpoint.connect_with_connector_lazy(connector), self, first, options),
            Some(interval) => over(KeptAlive::new(endpoint, connector, interval), self, first, options),
        })
    }

    fn endpoint(&self, options: &ConnectOptions) -> Result<Endpoint, Status> {
        // The connector encrypts, and tonic is not told, which would trust authorities alone.
        let endpoint = Endpoint::from_shared(format!("http://{}", self.authority))
            .map_err(|error| invalid(format!("{self}: {error}")))?
            .connect_timeout(options.connect_timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(TCP_PROBE))
            .tcp_keepalive_interval(Some(TCP_PROBE))
            .tcp_keepalive_retries(Some(3))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(max_header_bytes(options));
        if !self.tls {
            return Ok(endpoint);
        }
        let origin = format!("https://{}", self.authority).parse();
        Ok(endpoint.origin(origin.map_err(|error| invalid(format!("{self}: {error}")))?))
    }

    /// How connections are encrypted, where they are.
    fn encryption(&self, options: &ConnectOptions) -> Result<Option<Encryption>, Status> {
        if !self.tls {
            return Ok(None);
        }
        let trust = ServerTrust {
            key: self.key,
            ca_file: options.ca_file.as_deref(),
            secret_key: options.secret_key,
            raw: false,
            versions: rustls::DEFAULT_VERSIONS,
        };
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| invalid(format!("{self}: {error}")))?;
        Ok(Some(Encryption { config: Arc::new(trust.client(ALPN)?), name }))
    }
}

/// h2 breaks a stream off whose headers weigh more than this. The metadata in them is counted apart and refused
/// with a status, so this is only for what is far beyond.
fn max_header_bytes(options: &ConnectOptions) -> u32 {
    let metadata = options
        .limits
        .as_ref()
        .map_or(Limits::default().max_metadata_bytes, |limits| limits.max_metadata_bytes);
    u32::try_from(metadata.saturating_mul(8)).unwrap_or(u32::MAX)
}

/// A failure of the connection to this address, with what it probably comes from.
fn explained(address: &Address, first: &FirstByte, status: Status) -> Status {
    if status.code() != Code::Unavailable {
        return status;
    }
    let other = Address { tls: !address.tls, key: None, ..address.clone() };
    let mistake = first.mistake(address.tls, other);
    let hint = mistake.or_else(|| {
        let message = status.message();
        match address.key {
            None => distrusted(message),
            Some(_) => mispinned(message),
        }
        .map(str::to_owned)
    });
    let message = match hint {
        Some(hint) => format!("{address}: {} ({hint})", status.message()),
        None => format!("{address}: {}", status.message()),
    };
    status.with_message(message)
}

/// Must run within a runtime, as tonic's channels want.
pub(super) async fn connect(address: Address, options: ConnectOptions) -> Result<Connected, Status> {
    let remote = address.authority.to_string();
    let path = move || Some(NetworkPath::direct(remote.clone()));
    match options.ca_file.clone().filter(|_| address.tls && address.key.is_none()) {
        None => Ok(Connected::new(address.channel(&options)?).over(path)),
        Some(file) => {
            let make = move || address.channel(&options);
            Ok(Connected::new(Renewing::new(file, make)?).over(path))
        }
    }
}

fn over(inner: impl Http2, address: &Address, first: FirstByte, options: &ConnectOptions) -> Channel {
    let address = address.clone();
    let connection = Connection::new(inner).announcing();
    let mut connection = connection.explained(move |status| explained(&address, &first, status));
    if let Some(codec) = options.codec {
        connection = connection.codec(codec);
    }
    if let Some(limits) = &options.limits {
        connection = connection.limits(limits.clone());
    }
    Channel::new(connection)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { TLS.name } else { PLAIN.name }, self.authority)?;
        match &self.key {
            Some(key) => write!(f, "?key={key}"),
            None => Ok(()),
        }
    }
}

fn invalid(message: String) -> Status {
    Status::invalid_argument(message).not_processed()
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::{Codec, Context, Payload, Service, Target};

    #[test]
    fn a_target_is_printed_as_it_was_written() {
        let pinned = format!("grpcs://[::1]:7001?key={}", "0a".repeat(32));
        for text in ["grpc://127.0.0.1:7001", "grpcs://node.example:443", "grpc://[::1]:7001", &pinned] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("grpc://127.0.0.1", "the port is missing"),
            ("grpc://[::1]", "the port is missing"),
            ("grpc://127.0.0.1:70000", "the port is not a number from 1 to 65535"),
            ("grpc://127.0.0.1:http", "the port is not a number from 1 to 65535"),
            ("grpc://127.0.0.1:0", "port 0 cannot be dialled"),
            ("grpc://:7001", "the host is missing"),
            ("grpc://", "malformed"),
            ("grpc://a b:7001", "the host is malformed"),
            ("grpc://me@host:7001", "a user name has no place there"),
            ("grpcs://host:7001/path", "something follows the port"),
            ("grpcs://host:7001?key=abc", "expected 64 hexadecimal digits"),
            ("grpcs://host:7001?pin=abc", "something follows the port"),
            ("grpc://host:7001?key=abc", "something follows the port"),
        ];
        for (text, reason) in cases {
            let message = text.parse::<Target>().unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
            assert!(message.contains("://host:port"), "{message}");
        }
    }

    #[tokio::test]
    async fn a_target_that_nobody_listens_at_is_unavailable_and_not_processed() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let target: Target = format!("grpc://{free}").parse().unwrap();
        let channel = target.connect(&ConnectOptions::new()).await.unwrap();
        let cx = Context { path: crate::context::Path::Static("/a.A/Get"), ..Context::new() };
        let status = channel.unary(cx, Payload::encoded(Codec::Protobuf, "".into())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.is_not_processed());
        assert!(status.message().starts_with(&format!("{target}: the connection failed: ")), "{status}");
    }

    #[tokio::test]
    async fn a_ca_file_without_a_certificate_is_refused() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let target: Target = "grpcs://127.0.0.1:1".parse().unwrap();
        let refusal = target.connect(&ConnectOptions::new().ca_file(file)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument);
        assert!(refusal.message().contains("Cargo.toml holds no certificate; expected PEM"), "{refusal}");
    }

    #[tokio::test]
    async fn a_ca_file_that_is_not_there_is_named() {
        let target: Target = "grpcs://127.0.0.1:1".parse().unwrap();
        let refusal = target.connect(&ConnectOptions::new().ca_file("/nowhere/ca.pem")).await.unwrap_err();
        assert!(refusal.message().contains("/nowhere/ca.pem"), "{refusal}");
    }

    /// Speaks just enough HTTP/2 to say that it goes away and has looked at no stream, once one is opened. Counts
    /// its connections.
    async fn leave_all_out(listener: TcpListener, connections: Arc<AtomicUsize>) {
        const HEADERS: u8 = 1;
        const PREFACE: usize = 24;
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::Relaxed);
            stream.read_exact(&mut [0; PREFACE]).await.unwrap();
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
            let mut head = [0; 9];
            while stream.read_exact(&mut head).await.is_ok() {
                let length = usize::from(head[1]) << 8 | usize::from(head[2]);
                stream.read_exact(&mut vec![0; length]).await.unwrap();
                if head[3] == HEADERS {
                    let gone = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                    stream.write_all(&gone).await.unwrap();
                }
            }
        }
    }

    #[tokio::test]
    async fn a_call_that_the_peer_left_out_as_it_went_away_was_not_processed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target: Target = format!("grpc://{}", listener.local_addr().unwrap()).parse().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        tokio::spawn(leave_all_out(listener, connections.clone()));
        let channel = target.connect(&ConnectOptions::new()).await.unwrap();
        let cx = Context { path: crate::context::Path::Static("/a.A/Get"), ..Context::new() };
        let status = channel.unary(cx, Payload::encoded(Codec::Protobuf, "".into())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.is_not_processed(), "{status}");
        assert_eq!(connections.load(Ordering::Relaxed), 2, "it is made once more, on a new connection");
    }
}
