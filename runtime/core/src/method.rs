use std::{fmt, time::Duration};

use crate::{access_class::AccessClass, message_type::MessageType};

/// The four shapes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One request, one response.
    Unary,
    /// One request, a stream of responses.
    ServerStreaming,
    /// A stream of requests, one response.
    ClientStreaming,
    /// A stream of requests, a stream of responses.
    BidiStreaming,
}

impl Shape {
    /// Whether the caller sends a stream.
    pub fn streams_requests(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::BidiStreaming)
    }

    /// Whether the answer is a stream.
    pub fn streams_responses(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::BidiStreaming)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server streaming",
            Self::ClientStreaming => "client streaming",
            Self::BidiStreaming => "bidirectional streaming",
        })
    }
}

/// A row of a service's method table.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    path: &'static str,
    shape: Shape,
    idempotent: bool,
    timeout: Option<Duration>,
    max_message_bytes: Option<usize>,
    access: AccessClass,
    docs: &'static str,
    messages: Option<[MessageType; 2]>,
}

impl Method {
    /// A unary method at `/package.Service/Method`.
    pub const fn unary(path: &'static str) -> Self {
        Self::new(path, Shape::Unary)
    }

    /// A server-streaming method at `/package.Service/Method`.
    pub const fn server_streaming(path: &'static str) -> Self {
        Self::new(path, Shape::ServerStreaming)
    }

    /// A client-streaming method at `/package.Service/Method`.
    pub const fn client_streaming(path: &'static str) -> Self {
        Self::new(path, Shape::ClientStreaming)
    }

    /// A bidirectional method at `/package.Service/Method`.
    pub const fn bidi_streaming(path: &'static str) -> Self {
        Self::new(path, Shape::BidiStreaming)
    }

    const fn new(path: &'static str, shape: Shape) -> Self {
        Self {
            path,
            shape,
            idempotent: false,
            timeout: None,
            max_message_bytes: None,
            access: AccessClass::Application,
            docs: "",
            messages: None,
        }
    }

    /// Marks the method as idempotent: two calls have the effect of one.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Sets the default and upper bound of a call's timeout, at both ends.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the largest message in either direction, in bytes, if it is below the transport's limit.
    #[must_use]
    pub const fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// Sets the class of callers that the method is for.
    #[must_use]
    pub const fn access(mut self, access: AccessClass) -> Self {
        self.access = access;
        self
    }

    /// Sets the documentation: the doc comment of the trait's method.
    #[must_use]
    pub const fn docs(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    /// Sets the message types, for the macro.
    #[doc(hidden)]
    #[must_use]
    pub const fn messages(mut self, request_and_response: [MessageType; 2]) -> Self {
        self.messages = Some(request_and_response);
        self
    }

    /// The path, `/package.Service/Method`.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The part of the path before the method, `package.Service`.
    pub fn service(&self) -> &'static str {
        split(self.path).0
    }

    /// The last part of the path.
    pub fn name(&self) -> &'static str {
        split(self.path).1
    }

    /// The shape.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether the method is idempotent: two calls have the effect of one.
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// The deadline of a call that brings none, and the longest that one may bring.
    pub const fn default_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The method's own limit on a message, in bytes.
    pub const fn message_limit(&self) -> Option<usize> {
        self.max_message_bytes
    }

    /// The class of callers that the method is for.
    pub const fn access_class(&self) -> AccessClass {
        self.access
    }

    /// The doc comment.
    pub const fn documentation(&self) -> &'static str {
        self.docs
    }

    /// The types of its request and its response, where they are known.
    pub fn message_types(&self) -> Option<&[MessageType; 2]> {
        self.messages.as_ref()
    }
}

/// What is known of a service: its name, its documentation and its method table.
#[derive(Clone, Copy, Debug)]
pub struct ServiceInfo {
    name: &'static str,
    docs: &'static str,
    methods: &'static [Method],
}

impl ServiceInfo {
    /// A service named `package.Service`.
    pub const fn new(name: &'static str, docs: &'static str, methods: &'static [Method]) -> Self {
        Self { name, docs, methods }
    }

    /// The full name, `package.Service`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The doc comment of the trait.
    pub const fn documentation(&self) -> &'static str {
        self.docs
    }

    /// The methods, in the order of the trait.
    pub const fn methods(&self) -> &'static [Method] {
        self.methods
    }

    /// The method at this path.
    pub fn find(&self, path: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.path == path)
    }

    /// The last part of the package without its version: `health` for `grpc.health.v1.Health`.
    /// Configuration and ALPNs name services so.
    pub fn short_name(&self) -> &'static str {
        short_name(self.name)
    }

    /// The major version in the last part of the package: 1 for `grpc.health.v1.Health`, and 1 where
    /// the package names none.
    pub fn major_version(&self) -> u32 {
        major_version(self.name)
    }
}

/// The short name of the service `package.Service`.
pub(crate) fn short_name(service: &str) -> &str {
    let package = package(service);
    match package.rsplit_once('.') {
        Some((front, last)) if version(last).is_some() => front.rsplit('.').next().unwrap_or(front),
        Some((_, last)) => last,
        None => package,
    }
}

/// The major version of the service `package.Service`.
pub fn major_version(service: &str) -> u32 {
    package(service).rsplit('.').next().and_then(version).unwrap_or(1)
}

fn package(service: &str) -> &str {
    service.rsplit_once('.').map_or("", |(package, _)| package)
}

/// `/package.Service/Method` in its two parts; what is not of that form has no service.
pub fn split(path: &str) -> (&str, &str) {
    path.strip_prefix('/').and_then(|path| path.rsplit_once('/')).unwrap_or(("", path))
}

fn version(part: &str) -> Option<u32> {
    let digits = part.strip_prefix('v')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_the_last_part_of_its_package_without_the_version() {
        let cases = [
            ("grpc.health.v1.Health", "health", 1),
            ("polywire.kv.v12.Kv", "kv", 12),
            ("inventory.v2beta1.Inventory", "inventory", 2),
            ("inventory.Inventory", "inventory", 1),
            ("Bare", "", 1),
        ];
        for (name, short, major) in cases {
            let service = ServiceInfo::new(name, "", &[]);
            assert_eq!((service.short_name(), service.major_version()), (short, major), "{name}");
        }
    }
}
