use std::{fmt, str};

use bytes::Bytes;

/// The metadata of a call, as in gRPC: keys with ASCII values, and `-bin` keys with binary values. A key may occur several
/// times; the order is kept per key.
///
/// Keys are lower-case `[0-9a-z_.-]`; those that begin with `grpc-`, but for the two by which clients and servers speak of
/// further attempts (`grpc-previous-rpc-attempts`, `grpc-retry-pushback-ms`), and the names that HTTP/2 gives a
/// meaning of its own are reserved, so that metadata means the same on every transport. Source:
/// [gRPC over HTTP/2, custom metadata](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
///
/// ```
/// use polywire::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("tenant", "blue").unwrap();
/// metadata.insert_bin("trace-bin", [0xff, 0x00].as_slice()).unwrap();
/// assert_eq!(metadata.get("tenant"), Some("blue"));
/// assert!(metadata.insert("Tenant", "blue").is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(Key, Bytes)>);

/// A valid metadata key.
type Key = Bytes;

/// The error of an invalid metadata entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The key is empty or has a character other than `[0-9a-z_.-]`.
    #[error("metadata key {0:?} is not of lower-case letters, digits, `_`, `-` and `.`")]
    Key(String),
    /// The key is reserved by the protocol.
    #[error("metadata key {0:?} is reserved")]
    Reserved(String),
    /// An ASCII value has other characters than printable ASCII.
    #[error("the value of metadata key {0:?} is not printable ASCII; use a key that ends in `-bin`")]
    Value(String),
    /// An ASCII value starts or ends with a space, which HTTP does not preserve.
    #[error(
        "the value of metadata key {0:?} begins or ends with a space; expected none there, or a key that ends in `-bin`"
    )]
    Space(String),
    /// A binary value under a key that does not end in `-bin`, or the reverse.
    #[error("metadata key {key:?} must {}end in `-bin` for this value", if *.binary { "" } else { "not " })]
    Suffix {
        /// The key.
        key: String,
        /// Whether the value was given as binary.
        binary: bool,
    },
}

impl Metadata {
    /// Creates empty metadata, without an allocation.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of entries; repeated keys count each time.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The size of the entries, computed as that of an HTTP/2 header list: each key and value, and 32 bytes per entry (RFC
    /// 9113, section 6.5.2).
    pub fn weight(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len() + 32).sum()
    }

    /// Adds an ASCII entry behind those of the same key.
    ///
    /// # Errors
    /// If the key is malformed, reserved or ends in `-bin`, or the value is not printable ASCII or has a space at either end:
    /// HTTP/2 peers may remove such a space, so that the value would depend on the transport.
    pub fn append(&mut self, key: &str, value: impl Into<String>) -> Result<(), MetadataError> {
        self.append_raw(Bytes::copy_from_slice(key.as_bytes()), Bytes::from(value.into()), Some(false))
    }

    /// Adds a binary entry behind those of the same key.
    ///
    /// # Errors
    /// If the key is malformed, reserved or does not end in `-bin`.
    pub fn append_bin(&mut self, key: &str, value: impl Into<Bytes>) -> Result<(), MetadataError> {
        self.append_raw(Bytes::copy_from_slice(key.as_bytes()), value.into(), Some(true))
    }

    /// Sets an ASCII entry, replacing those of the same key.
    ///
    /// # Errors
    /// As [`append`](Self::append); the existing entries then stay.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) -> Result<(), MetadataError> {
        self.append(key, value)?;
        self.keep_last();
        Ok(())
    }

    /// Sets a binary entry, replacing those of the same key.
    ///
    /// # Errors
    /// As [`append_bin`](Self::append_bin); the existing entries then stay.
    pub fn insert_bin(&mut self, key: &str, value: impl Into<Bytes>) -> Result<(), MetadataError> {
        self.append_bin(key, value)?;
        self.keep_last();
        Ok(())
    }

    /// The first ASCII value of the key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()
    }

    /// All ASCII values of the key, in order.
    pub fn get_all<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a str> + use<'a, 'k> {
        self.values(key)
            .filter(move |_| !is_binary(key.as_bytes()))
            .filter_map(|value| str::from_utf8(value).ok())
    }

    /// The first binary value of the key.
    pub fn get_bin(&self, key: &str) -> Option<&Bytes> {
        self.get_all_bin(key).next()
    }

    /// All binary values of the key, in order.
    pub fn get_all_bin<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a Bytes> + use<'a, 'k> {
        self.values(key).filter(move |_| is_binary(key.as_bytes()))
    }

    /// All raw values of the key, in order, ASCII or binary as the key says.
    pub fn values<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a Bytes> + use<'a, 'k> {
        self.0.iter().filter(move |(candidate, _)| candidate == key.as_bytes()).map(|(_, value)| value)
    }

    /// All entries: key and raw value. A key that ends in `-bin` has a binary value, others have printable ASCII.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().filter_map(|(key, value)| Some((str::from_utf8(key).ok()?, value)))
    }

    /// Removes all entries of the key.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(candidate, _)| candidate != key.as_bytes());
    }

    /// Appends all entries of the other metadata.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Adds what came off a wire, after the same checks; the key alone says whether the value is binary. White space at
    /// the ends of an ASCII value, which a peer should not have sent, is taken away as HTTP does, and what gRPC says
    /// under names of ours belongs to the connection that it came by.
    pub(crate) fn append_received(&mut self, key: Bytes, value: Bytes) -> Result<(), MetadataError> {
        if OWN.iter().any(|name| name.as_bytes() == key) {
            return Ok(());
        }
        let value = if is_binary(&key) { value } else { value.slice_ref(without_spaces(&value)) };
        self.append_raw(key, value, None)
    }

    /// Adds an entry; where `binary` says so, of that kind.
    pub(crate) fn append_raw(
        &mut self,
        key: Bytes,
        value: Bytes,
        binary: Option<bool>,
    ) -> Result<(), MetadataError> {
        let name = || String::from_utf8_lossy(&key).into_owned();
        if key.is_empty()
            || !key.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'-' | b'.'))
        {
            return Err(MetadataError::Key(name()));
        }
        if is_reserved(&key) {
            return Err(MetadataError::Reserved(name()));
        }
        if let Some(binary) = binary.filter(|binary| *binary != is_binary(&key)) {
            return Err(MetadataError::Suffix { key: name(), binary });
        }
        if !is_binary(&key) && !value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return Err(MetadataError::Value(name()));
        }
        if !is_binary(&key) && without_spaces(&value).len() < value.len() {
            return Err(MetadataError::Space(name()));
        }
        self.0.push((key, value));
        Ok(())
    }

    fn keep_last(&mut self) {
        if let Some((key, value)) = self.0.pop() {
            self.0.retain(|(candidate, _)| *candidate != key);
            self.0.push((key, value));
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, value)| (key, value))).finish()
    }
}

/// The value without the white space at its ends that HTTP does not keep. Source:
/// [RFC 9110, section 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5).
fn without_spaces(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(begin) = value.iter().position(|byte| !is_space(byte)) else { return &value[..0] };
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(begin, |last| last + 1);
    &value[begin..end]
}

pub(crate) fn is_binary(key: &[u8]) -> bool {
    key.ends_with(b"-bin")
}

/// How often a call was attempted before, as its client says.
pub(crate) const PREVIOUS_ATTEMPTS: &str = "grpc-previous-rpc-attempts";

/// When a call may be attempted again, as its server says.
pub(crate) const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// What clients and servers that speak of further attempts tell each other. These are metadata like any other, and travel
/// on every transport. Source:
/// [gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#exposed-retry-metadata).
const OF_RETRIES: [&str; 2] = [PREVIOUS_ATTEMPTS, RETRY_PUSHBACK];

/// The trailer by which our servers say over gRPC that no handler saw the call.
pub(crate) const NOT_PROCESSED: &str = "polywire-not-processed";

/// The header by which our clients say over gRPC how much metadata they take, in bytes, where it is more than every peer
/// does.
pub(crate) const MAX_METADATA: &str = "polywire-max-metadata";

/// What our ends of a gRPC connection tell each other.
const OWN: [&str; 2] = [NOT_PROCESSED, MAX_METADATA];

/// Names that HTTP/2, gRPC or our ends of it use for themselves: an entry under one of them would be dropped by one
/// transport and obeyed by another.
pub(crate) fn is_reserved(key: &[u8]) -> bool {
    OWN.iter().any(|name| name.as_bytes() == key)
        || (key.starts_with(b"grpc-") && !OF_RETRIES.iter().any(|name| name.as_bytes() == key))
        || matches!(
            key,
            b"te"
                | b"content-type"
                | b"content-length"
                | b"user-agent"
                | b"host"
                | b"connection"
                | b"keep-alive"
                | b"proxy-connection"
                | b"transfer-encoding"
                | b"upgrade"
                | b"trailer"
        )
}
