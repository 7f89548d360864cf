//! What a server says of when a call may be made again.

use std::time::Duration;

use prost::Message as _;

use crate::{Code, Status, metadata::RETRY_PUSHBACK};

/// A server's word on whether and when the call may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// It said nothing.
    None,
    /// Not before this has passed.
    After(Duration),
    /// Not at all.
    Never,
}

/// The detail by which Google's APIs say it. Source:
/// [`google.rpc.RetryInfo`](https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto).
const DETAIL: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl Pushback {
    /// What this status says: by the metadata of gRPC's servers, of which those that cannot be read mean never
    /// ([gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback)), or by its details.
    pub(crate) fn of(status: &Status) -> Self {
        if let Some(text) = status.metadata().get(RETRY_PUSHBACK) {
            return text.parse().map_or(Self::Never, |ms| Self::After(Duration::from_millis(ms)));
        }
        if !matches!(status.code(), Code::ResourceExhausted | Code::Unavailable)
            || status.details().is_empty()
        {
            return Self::None;
        }
        let Ok(details) = Details::decode(status.details().clone()) else { return Self::None };
        let info = details.details.iter().find(|detail| detail.type_url == DETAIL);
        let delay = info.and_then(|detail| RetryInfo::decode(detail.value.as_slice()).ok()?.retry_delay);
        delay.map_or(Self::None, |delay| Self::After(delay.read()))
    }
}

/// `google.rpc.Status`, as far as it is read here.
#[derive(Clone, PartialEq, prost::Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Delay {
    fn read(&self) -> Duration {
        let (seconds, nanos) = (u64::try_from(self.seconds), u32::try_from(self.nanos));
        Duration::from_secs(seconds.unwrap_or(0))
            .saturating_add(Duration::from_nanos(nanos.unwrap_or(0).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metadata;

    fn said(value: &str) -> Pushback {
        let mut metadata = Metadata::new();
        metadata.insert(RETRY_PUSHBACK, value).unwrap();
        Pushback::of(&Status::unavailable("").with_metadata(metadata))
    }

    #[test]
    fn metadata_say_when_or_never() {
        assert_eq!(said("250"), Pushback::After(Duration::from_millis(250)));
        assert_eq!(said("-1"), Pushback::Never);
        assert_eq!(said("soon"), Pushback::Never);
        assert_eq!(Pushback::of(&Status::unavailable("")), Pushback::None);
    }

    #[test]
    fn a_retry_info_says_when() {
        let info = RetryInfo { retry_delay: Some(Delay { seconds: 1, nanos: 500_000_000 }) };
        let detail = Detail { type_url: DETAIL.to_owned(), value: info.encode_to_vec() };
        let details = Details { details: vec![Detail::default(), detail] }.encode_to_vec();
        let with = |status: Status| Pushback::of(&status.with_details(details.clone()));
        assert_eq!(with(Status::resource_exhausted("")), Pushback::After(Duration::from_millis(1_500)));
        assert_eq!(with(Status::not_found("")), Pushback::None);
        assert_eq!(Pushback::of(&Status::unavailable("").with_details("junk")), Pushback::None);
    }
}
