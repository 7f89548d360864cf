use crate::{Compression, Metadata};

/// An answer with the metadata around it. A handler that has none to give returns its message bare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response<T> {
    /// Metadata that leads the answer: the caller has it before the first message.
    pub metadata: Metadata,
    /// The message, or the stream of them.
    pub message: T,
    /// Metadata that trails a single message. A stream brings its own:
    /// [`Streaming::with_trailers`](crate::Streaming::with_trailers).
    pub trailers: Metadata,
    /// What the messages are compressed with; `None` for plain ones. Where the caller does not accept it, or
    /// this build does not know it, they travel plain. Of an answer that was received, `None` also where the
    /// one message came plain nevertheless.
    pub compression: Option<Compression>,
}

impl<T> Response<T> {
    /// An answer without metadata.
    pub fn new(message: T) -> Self {
        Self { metadata: Metadata::new(), message, trailers: Metadata::new(), compression: None }
    }

    /// The same answer with this leading metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// The same answer with this trailing metadata.
    #[must_use]
    pub fn with_trailers(mut self, trailers: Metadata) -> Self {
        self.trailers = trailers;
        self
    }

    /// The same answer, its messages compressed with this where the caller accepts it.
    /// [`Streaming::compress_if`](crate::Streaming::compress_if) chooses some of a stream's.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// The same around another message.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Response<U> {
        let Self { metadata, message, trailers, compression } = self;
        Response { metadata, message: change(message), trailers, compression }
    }

    /// The message alone.
    pub fn into_message(self) -> T {
        self.message
    }
}

impl<T> From<T> for Response<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}
