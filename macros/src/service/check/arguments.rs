use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, FnArg, Ident, Pat, Receiver, Signature, Type};

use super::{
    super::model::{Argument, Request},
    message::{arguments as generic_arguments, bare, is_message, peel},
};
use crate::errors::Errors;

/// The arguments by role: the optional context and the request.
pub(super) fn arguments(signature: &Signature, errors: &mut Errors) -> Option<(Option<Argument>, Request)> {
    let before = errors.count();
    receiver(signature, errors);
    let (mut context, mut request) = (None, None);
    for (index, argument) in signature.inputs.iter().filter_map(typed).enumerate() {
        without_attributes(&argument.attrs, errors);
        let name = name(&argument.pat, errors);
        let ty = &*argument.ty;
        if is_context(ty) {
            well_placed_context(ty, index, errors);
            context = name.map(|name| Argument { name, ty: ty.clone() });
        } else if request.is_some() {
            errors.push(argument, "a method takes one request: put this into its message");
        } else {
            request = Some(name.zip(message(ty, errors)).map(|(name, (message, streaming))| Request {
                argument: Argument { name, ty: ty.clone() },
                message,
                streaming,
            }));
        }
    }
    if request.is_none() {
        let message = "a method takes one request, a message or `Streaming<Message>`: \
                       write `request: Request`, or `_request: ()` if the request is empty";
        errors.push(missing_request_place(signature), message);
    }
    let request = request.flatten()?;
    (errors.count() == before).then_some((context, request))
}

fn receiver(signature: &Signature, errors: &mut Errors) {
    const EXPECTED: &str = "a method takes `&self` first: write `&self`";
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) if is_shared(receiver) => without_attributes(&receiver.attrs, errors),
        Some(argument) => errors.push(argument, EXPECTED),
        None => errors.push(&signature.ident, EXPECTED),
    }
}

/// Whether it is `&self` and nothing more.
fn is_shared(receiver: &Receiver) -> bool {
    let elided = matches!(&receiver.reference, Some((_, None)));
    elided && receiver.mutability.is_none() && receiver.colon_token.is_none()
}

fn typed(argument: &FnArg) -> Option<&syn::PatType> {
    match argument {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    }
}

fn without_attributes(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in attributes {
        errors.push(attribute, "an argument of a service's method has no attributes: remove it");
    }
}

/// The argument's name; a default body may need it `mut`.
fn name(pattern: &Pat, errors: &mut Errors) -> Option<Ident> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => Some(name.ident.clone()),
        pattern => {
            errors.push(pattern, "an argument has a name, not a pattern: write `request: Request`");
            None
        }
    }
}

/// Whether the type is meant to be the context, correctly written or not.
fn is_context(ty: &Type) -> bool {
    let ty = match bare(ty) {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    };
    generic_arguments(ty, "Context").is_some()
}

fn well_placed_context(ty: &Type, index: usize, errors: &mut Errors) {
    let shared = matches!(bare(ty), Type::Reference(reference)
        if reference.mutability.is_none() && reference.lifetime.is_none());
    if !shared {
        errors.push(ty, "a method borrows its context: write `&Context`");
    }
    if index > 0 {
        errors.push(ty, "the context is the first argument after `&self`: write `(&self, cx: &Context, …)`");
    }
}

fn message(ty: &Type, errors: &mut Errors) -> Option<(Type, bool)> {
    let (message, streaming) = peel(ty, "Streaming", errors)?;
    is_message(message, errors).then(|| (message.clone(), streaming))
}

/// The tokens of the arguments, or the method's name if there are none.
fn missing_request_place(signature: &Signature) -> TokenStream {
    if signature.inputs.is_empty() {
        return signature.ident.to_token_stream();
    }
    signature.inputs.to_token_stream()
}
