//! What expansions of the macros name, and the built-in services beside. No part of the public contract.

use std::{marker::PhantomData, time::Duration};

pub use crate::{
    message_type::{FieldNames, MessageType, Recode},
    panic::{Caught, catch},
    server::{Defined, Definition, Dispatch},
};
pub use serde;

use crate::{Body, Context, Message, Method, Response, Status, Streaming, message_fields, message_type};

/// The request of a method that takes one message, which the server has read. Where there is none, no handler sees the call.
///
/// # Errors
/// Why there is none, as not processed: `InvalidArgument` for bytes that are no such message, `Internal` for a stream.
pub fn one<M: Message>(body: Body) -> Result<M, Status> {
    let request = match body {
        Body::One(message) => message.into_request(),
        Body::Many(_) => Err(Status::internal("a stream of requests reached a method that takes one")),
    };
    request.map_err(Status::not_processed)
}

/// The requests of a method that takes a stream.
pub fn many<M: Message>(body: Body) -> Streaming<M> {
    body.stream().into_requests()
}

/// The answer of a handler that returns one message, bare or in a [`Response`].
pub fn respond<M: Message, R: Into<Response<M>>, E: Into<Status>>(outcome: Result<R, E>) -> Dispatched {
    outcome.map(|response| response.into().map(Body::one)).map_err(seen)
}

/// The answer of a handler that returns a stream, bare or in a [`Response`].
pub fn respond_stream<M: Message, R: Into<Response<Streaming<M>>>, E: Into<Status>>(
    outcome: Result<R, E>,
) -> Dispatched {
    outcome.map(|response| response.into().map(Body::many)).map_err(seen)
}

/// What a handler failed with: it has seen the call, whatever a further call of its own met.
fn seen(error: impl Into<Status>) -> Status {
    error.into().processed()
}

/// The answer to a method that the table does not have.
pub fn unimplemented(cx: &Context) -> Status {
    crate::server::unimplemented(cx)
}

/// The row of the table with this name; evaluated while compiling.
///
/// # Panics
/// When there is none, which the macro does not let happen.
pub const fn method<D: Definition>(name: &str) -> &'static Method {
    let methods = D::SERVICE.methods();
    let mut index = 0;
    while index < methods.len() {
        if ends_with_name(methods[index].path(), name) {
            return &methods[index];
        }
        index += 1;
    }
    panic!("the method table has no such method")
}

/// Whether the path is of the form `…/name`.
const fn ends_with_name(path: &str, name: &str) -> bool {
    let (path, name) = (path.as_bytes(), name.as_bytes());
    if path.len() <= name.len() {
        return false;
    }
    let start = path.len() - name.len();
    let mut index = 0;
    while index < name.len() {
        if path[start + index] != name[index] {
            return false;
        }
        index += 1;
    }
    path[start - 1] == b'/'
}

/// What is known of a message type. A constant of its own is there only where the type has what it takes, and is then
/// found before the one of [`Unknown`]: so the table of a method tells what there is to tell, and a type that is no
/// message is reported where it is used, and not here as well.
pub struct Known<M>(PhantomData<M>);

impl<M: prost::Name> Known<M> {
    /// The full name of the message.
    pub const NAME: Option<fn() -> String> = Some(M::full_name);
}

impl<M: Message> Known<M> {
    /// How it is encoded again.
    pub const RECODE: Option<Recode> = Some(message_type::recode::<M>);
    /// The names of its fields.
    pub const FIELDS: Option<FieldNames> = Some(message_fields::fields::<M>);
}

/// What is known of a type of which nothing is known.
pub trait Unknown {
    /// The full name of the message.
    const NAME: Option<fn() -> String> = None;
    /// How it is encoded again.
    const RECODE: Option<Recode> = None;
    /// The names of its fields.
    const FIELDS: Option<FieldNames> = None;
}

impl<M> Unknown for Known<M> {}

/// The [`MessageType`]s of a method's request and response, whatever these are.
#[doc(hidden)]
#[macro_export]
macro_rules! __message_types {
    ($($message:ty),+) => {{
        #[allow(unused_imports)]
        use $crate::__private::Unknown as _;
        [$($crate::__private::MessageType::new(
            $crate::__private::Known::<$message>::NAME,
            $crate::__private::Known::<$message>::RECODE,
            $crate::__private::Known::<$message>::FIELDS,
        )),+]
    }};
}

/// What a dispatched call comes to.
pub type Dispatched = Result<Response<Body>, Status>;

/// `Duration::from_millis`, under a name that no user's type can shadow.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The same type, behind a lifetime: a bound on it is checked where it is used rather than where it is
/// written. So a client implements a trait whose errors are `From<Status>`, and one whose errors are not
/// is no mistake.
pub trait Deferred<'a> {
    /// The type itself.
    type Type: ?Sized;
}

impl<T: ?Sized> Deferred<'_> for T {
    type Type = T;
}
