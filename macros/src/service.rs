//! `#[service]`: parse → check → emit, with the model between the last two.

mod check;
mod emit;
mod model;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::errors::{Errors, Expansion};

/// Expands the trait. If it cannot be a service, the output is the trait alone; if some methods are invalid, a service of
/// the others.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Expansion {
    let mut errors = Errors::default();
    let output = match parse::parse(arguments, item.clone(), &mut errors) {
        Some(parsed) => {
            let service = check::service(&parsed, &mut errors);
            emit::emit(&parsed.item, service.as_ref())
        }
        None => item,
    };
    Expansion { output, errors }
}
