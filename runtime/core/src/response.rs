use crate::{Compression, Metadata};

/// A response with its metadata. A handler without metadata returns its message directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response<T> {
    /// Leading metadata, which the caller receives before the first message.
    pub metadata: Metadata,
    /// The message, or the stream of them.
    pub message: T,
    /// Trailing metadata of a single message. A stream carries its own:
    /// [`Streaming::with_trailers`](crate::Streaming::with_trailers).
    pub trailers: Metadata,
    /// The compression of the messages; `None` for uncompressed ones. They are sent uncompressed if the caller does not
    /// accept the compression or this build lacks it. For a received unary response, `None` also if its message was
    /// uncompressed in spite of a compression.
    pub compression: Option<Compression>,
}

impl<T> Response<T> {
    /// Creates a response without metadata.
    pub fn new(message: T) -> Self {
        Self { metadata: Metadata::new(), message, trailers: Metadata::new(), compression: None }
    }

    /// Sets the leading metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets the trailing metadata.
    #[must_use]
    pub fn with_trailers(mut self, trailers: Metadata) -> Self {
        self.trailers = trailers;
        self
    }

    /// Compresses the messages if the caller accepts it.
    /// [`Streaming::compress_if`](crate::Streaming::compress_if) limits it to some messages of a stream.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Converts the message.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Response<U> {
        let Self { metadata, message, trailers, compression } = self;
        Response { metadata, message: change(message), trailers, compression }
    }

    /// Returns the message.
    pub fn into_message(self) -> T {
        self.message
    }
}

impl<T> From<T> for Response<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}
