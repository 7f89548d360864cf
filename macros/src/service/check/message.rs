use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type};

use crate::errors::Errors;

/// The inner type of a wrapper (`Streaming`, `Response`) or the type itself, and whether there was a wrapper. `None` if
/// the wrapper is not written as `Wrapper<Type>`.
pub(super) fn peel<'a>(ty: &'a Type, wrapper: &str, errors: &mut Errors) -> Option<(&'a Type, bool)> {
    let Some(arguments) = arguments(ty, wrapper) else { return Some((ty, false)) };
    if let [GenericArgument::Type(inner)] = arguments.as_slice() {
        return Some((inner, true));
    }
    errors.push(ty, format!("`{wrapper}` takes exactly one type: write `{wrapper}<Message>`"));
    None
}

/// The generic arguments of a type whose last path segment has this name; may be empty.
pub(super) fn arguments<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a GenericArgument>> {
    let Type::Path(path) = bare(ty) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter().collect()),
        _ => Some(Vec::new()),
    }
}

/// The type without parentheses and without the invisible group around a type from a `macro_rules` macro.
pub(super) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => bare(&inner.elem),
        Type::Group(inner) => bare(&inner.elem),
        ty => ty,
    }
}

/// Whether the type can be a message, judged by syntax alone. The compiler checks the rest.
pub(super) fn is_message(ty: &Type, errors: &mut Errors) -> bool {
    let message = match bare(ty) {
        Type::Reference(_) => "a message travels by value: remove the `&`",
        Type::ImplTrait(_) => "a message has one type: name it instead of `impl`",
        ty if arguments(ty, "Streaming").is_some() => "streams do not nest: write `Streaming<Message>`",
        ty if arguments(ty, "Response").is_some() => {
            "`Response` goes around what a method returns: write `Result<Response<Message>, Status>`"
        }
        _ => return owns_its_data(ty, errors),
    };
    errors.push(ty, message);
    false
}

/// Whether the type names no lifetime other than `'static`.
fn owns_its_data(ty: &Type, errors: &mut Errors) -> bool {
    let Some(lifetime) = lifetime(ty.to_token_stream()) else { return true };
    errors.push(lifetime, "a message owns its data: use a type without a lifetime");
    false
}

/// The first lifetime among these tokens, quote and name.
fn lifetime(tokens: TokenStream) -> Option<TokenStream> {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(quote) if quote.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "static" => {}
                name => return Some([Some(TokenTree::Punct(quote)), name].into_iter().flatten().collect()),
            },
            TokenTree::Group(group) => {
                if let Some(found) = lifetime(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}
