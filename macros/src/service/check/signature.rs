use syn::{GenericParam, Signature};

use super::{
    super::model::{Argument, ErrorType, Request, Response},
    arguments::arguments,
    response::response,
};
use crate::errors::Errors;

/// A signature that every transport can carry.
pub(super) struct Checked {
    pub(super) context: Option<Argument>,
    pub(super) request: Request,
    pub(super) response: Response,
    pub(super) error: ErrorType,
}

/// Validates a signature and reports all of its mistakes.
pub(super) fn signature(signature: &Signature, errors: &mut Errors) -> Option<Checked> {
    let before = errors.count();
    qualifiers(signature, errors);
    generics(signature, errors);
    let arguments = arguments(signature, errors);
    if let Some(variadic) = &signature.variadic {
        errors.push(variadic, "a method takes one request: remove `...`");
    }
    let response = response(&signature.ident, &signature.output, errors);
    let ((context, request), (response, error)) = arguments.zip(response)?;
    (errors.count() == before).then_some(Checked { context, request, response, error })
}

fn qualifiers(signature: &Signature, errors: &mut Errors) {
    if let Some(token) = &signature.constness {
        errors.push(token, "a method that is called remotely cannot be `const`: remove it");
    }
    if signature.asyncness.is_none() {
        errors.push(signature.fn_token, "a method is asynchronous: write `async fn`");
    }
    if let Some(token) = &signature.unsafety {
        errors.push(token, "a method that is called remotely cannot be `unsafe`: remove it");
    }
    if let Some(abi) = &signature.abi {
        errors.push(abi, "a method has Rust's own calling convention: remove `extern`");
    }
}

fn generics(signature: &Signature, errors: &mut Errors) {
    for parameter in &signature.generics.params {
        let message = match parameter {
            GenericParam::Lifetime(_) => {
                "a method has no lifetimes: remove it, and let messages own their data"
            }
            GenericParam::Type(_) => "a method cannot be generic: name the message type instead",
            GenericParam::Const(_) => "a method cannot be generic: put the number into the message",
        };
        errors.push(parameter, message);
    }
    if let Some(clause) = &signature.generics.where_clause {
        errors.push(clause, "a method has no `where` clause: remove it");
    }
}
