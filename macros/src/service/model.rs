use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Ident, Path, ReturnType, Type, TypeParamBound, Visibility, ext::IdentExt};

/// A service that can be emitted: every name is valid, every method has a shape.
pub(super) struct Service {
    /// The path of the `polywire` crate.
    pub(super) krate: Path,
    pub(super) vis: Visibility,
    pub(super) ident: Ident,
    pub(super) docs: String,
    /// `package.Service`.
    pub(super) full_name: String,
    pub(super) methods: Vec<Method>,
    /// The supertraits that the client does not always meet.
    pub(super) supertraits: Vec<TypeParamBound>,
    /// Whether the model has all methods of the trait, so that the client can implement the trait.
    pub(super) complete: bool,
    /// Whether the trait or one of its methods is deprecated; generated code must not warn of that.
    pub(super) deprecated: bool,
}

impl Service {
    /// The name of a generated item, such as `InventoryClient`.
    pub(super) fn derived(&self, suffix: &str) -> Ident {
        // Located at the trait's name, so that errors point there; resolved in the expansion, so that the lints of the
        // user's crate do not apply.
        let span = Span::mixed_site().located_at(self.ident.span());
        format_ident!("{}{}", self.ident.unraw(), suffix, span = span)
    }
}

/// A method that can be served and called.
pub(super) struct Method {
    pub(super) ident: Ident,
    /// The last part of the path on the wire.
    pub(super) wire_name: String,
    pub(super) docs: String,
    /// The `cfg` predicate that decides whether the method exists.
    pub(super) condition: Option<TokenStream>,
    /// The attributes to repeat on the client's method.
    pub(super) attributes: Vec<Attribute>,
    pub(super) options: Options,
    pub(super) context: Option<Argument>,
    pub(super) request: Request,
    /// The return type as written.
    pub(super) returns: ReturnType,
    pub(super) response: Response,
    pub(super) error: ErrorType,
}

impl Method {
    /// The condition as an attribute.
    pub(super) fn cfg(&self) -> Option<TokenStream> {
        self.condition.as_ref().map(|predicate| quote!(#[cfg(#predicate)]))
    }
}

/// The options of `#[rpc(…)]`.
#[derive(Default)]
pub(super) struct Options {
    pub(super) idempotent: bool,
    pub(super) timeout_millis: Option<u64>,
    pub(super) max_message_bytes: Option<usize>,
    /// The variant of `AccessClass`, if it is not the default.
    pub(super) access: Option<&'static str>,
}

/// An argument as written.
pub(super) struct Argument {
    pub(super) name: Ident,
    pub(super) ty: Type,
}

/// The request argument.
pub(super) struct Request {
    pub(super) argument: Argument,
    pub(super) message: Type,
    pub(super) streaming: bool,
}

/// The success type of a method.
pub(super) struct Response {
    pub(super) message: Type,
    pub(super) streaming: bool,
    /// Whether it is in a `Response`.
    pub(super) wrapped: bool,
}

/// The error type of a method.
pub(super) enum ErrorType {
    /// `Status`, by its name.
    Status,
    /// Another type. Only the compiler knows whether it is `From<Status>`.
    Other(Box<Type>),
}
