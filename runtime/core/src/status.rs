mod fitted;

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use bytes::Bytes;

pub(crate) use fitted::{Fitted, Scale};

use crate::{Code, Metadata};

/// The status of a failed call: a [`Code`], a message for people, details for programs, and trailing metadata.
///
/// A `Status` is one pointer wide, so that `Result<T, Status>` costs a successful call nothing. Your own error types
/// convert into it.
///
/// ```
/// use polywire::{Code, Status};
///
/// struct OutOfStock;
///
/// impl From<OutOfStock> for Status {
///     fn from(_: OutOfStock) -> Self {
///         Status::failed_precondition("out of stock")
///     }
/// }
/// assert_eq!(Status::from(OutOfStock).code(), Code::FailedPrecondition);
/// ```
#[derive(Clone)]
pub struct Status(Box<StatusFields>);

#[derive(Clone)]
struct StatusFields {
    code: Code,
    message: Cow<'static, str>,
    details: Bytes,
    metadata: Metadata,
    not_processed: bool,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Status {
    /// Creates a status with this code and a message for people.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(StatusFields {
            code,
            message: message.into(),
            details: Bytes::new(),
            metadata: Metadata::new(),
            not_processed: false,
            source: None,
        }))
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message for people, which may be empty.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The details for programs: by gRPC's convention an encoded `google.rpc.Status`.
    pub fn details(&self) -> &Bytes {
        &self.0.details
    }

    /// The trailing metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The trailing metadata, mutable.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.0.metadata
    }

    /// Whether it is certain that no handler processed the call. It may then be retried, over the same transport or another,
    /// even if the method is not idempotent.
    pub fn is_not_processed(&self) -> bool {
        self.0.not_processed
    }

    /// Sets the details for programs.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Bytes>) -> Self {
        self.0.details = details.into();
        self
    }

    /// Sets the trailing metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// Sets the error that caused the status. The cause is not sent to the peer.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Marks the status as [not processed](Self::is_not_processed). For transports, and only for calls that provably
    /// reached no handler.
    #[must_use]
    pub fn not_processed(mut self) -> Self {
        self.0.not_processed = true;
        self
    }

    /// Replaces the message.
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Marks errors of calls that may have run on the server, unless the call is idempotent.
    pub(crate) fn maybe_executed(self, idempotent: bool) -> Self {
        const MAYBE: &str = "; the call may have been executed";
        let of_the_way = matches!(self.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled);
        // Another channel on the way may have said it.
        if self.is_not_processed() || idempotent || !of_the_way || self.message().ends_with(MAYBE) {
            return self;
        }
        let message = format!("{}{MAYBE}", self.message());
        self.with_message(message)
    }

    /// Marks the status as that of a peer that has processed the call, even if a further call of the peer was not
    /// processed. It is a failure, so it cannot be `Ok`.
    pub(crate) fn processed(mut self) -> Self {
        self.0.not_processed = false;
        if self.0.code == Code::Ok {
            self.0.code = Code::Unknown;
        }
        self
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $code:ident;)*) => {
        impl Status {
            $($(#[$doc])*
            pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                Self::new(Code::$code, message)
            })*
        }
    };
}

constructors! {
    /// A status of [`Code::Cancelled`].
    cancelled => Cancelled;
    /// A status of [`Code::Unknown`].
    unknown => Unknown;
    /// A status of [`Code::InvalidArgument`].
    invalid_argument => InvalidArgument;
    /// A status of [`Code::DeadlineExceeded`].
    deadline_exceeded => DeadlineExceeded;
    /// A status of [`Code::NotFound`].
    not_found => NotFound;
    /// A status of [`Code::AlreadyExists`].
    already_exists => AlreadyExists;
    /// A status of [`Code::PermissionDenied`].
    permission_denied => PermissionDenied;
    /// A status of [`Code::ResourceExhausted`].
    resource_exhausted => ResourceExhausted;
    /// A status of [`Code::FailedPrecondition`].
    failed_precondition => FailedPrecondition;
    /// A status of [`Code::Aborted`].
    aborted => Aborted;
    /// A status of [`Code::OutOfRange`].
    out_of_range => OutOfRange;
    /// A status of [`Code::Unimplemented`].
    unimplemented => Unimplemented;
    /// A status of [`Code::Internal`].
    internal => Internal;
    /// A status of [`Code::Unavailable`].
    unavailable => Unavailable;
    /// A status of [`Code::DataLoss`].
    data_loss => DataLoss;
    /// A status of [`Code::Unauthenticated`].
    unauthenticated => Unauthenticated;
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.code)?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status")
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("details", &self.0.details)
            .field("metadata", &self.0.metadata)
            .field("not_processed", &self.0.not_processed)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
