use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes of one item, in the order of their discovery.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Reports a mistake at these tokens.
    pub(crate) fn push(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at a span outside of the item.
    pub(crate) fn push_at(&mut self, span: Span, message: impl Display) {
        self.0.push(syn::Error::new(span, message));
    }

    /// Reports the parser's errors.
    pub(crate) fn extend(&mut self, error: syn::Error) {
        self.0.extend(error);
    }

    /// The number of mistakes found so far.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &syn::Error> {
        self.0.iter()
    }
}

/// The result of a macro.
pub(crate) struct Expansion {
    pub(crate) output: TokenStream,
    pub(crate) errors: Errors,
}

impl Expansion {
    /// The mistakes as `compile_error!`, then the output.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let mut tokens: TokenStream = self.errors.0.iter().map(syn::Error::to_compile_error).collect();
        tokens.extend(self.output);
        tokens
    }
}
