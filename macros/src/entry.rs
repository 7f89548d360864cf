//! `#[main]`: a function that builds a node becomes a binary.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Expr, Ident, ItemFn, Path, ReturnType, Signature, ext::IdentExt, spanned::Spanned};

use crate::{
    errors::{Errors, Expansion},
    words::{Vocabulary, Words},
};

const MAIN: Vocabulary = Vocabulary {
    attribute: "`#[polywire::main]`",
    words: &[("crate", "crate = ::polywire"), ("transports", "transports = [Pigeon, Drum]")],
};

/// A function that builds a node.
struct Builder {
    krate: Path,
    /// The transports to register before the arguments are read.
    transports: Vec<Expr>,
    item: ItemFn,
    /// Its name, located at its return type: that is what is wrong if it returns no node builder.
    name: Ident,
}

/// Expands the function. If it cannot build a node, the output is the function and an empty `main`.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Expansion {
    let mut errors = Errors::default();
    let words = Words::parse(arguments, &MAIN, &mut errors);
    let Ok(parsed) = syn::parse2::<ItemFn>(item.clone()) else {
        errors.push(&item, "`#[polywire::main]` goes on a function: write `fn node() -> NodeBuilder { … }`");
        return Expansion { output: item, errors };
    };
    let output = match check(&words, &parsed, &mut errors) {
        Some(builder) => emit(&builder),
        None if parsed.sig.ident == "main" => quote!(
            fn main() {}
        ),
        None => quote!(#item fn main() {}),
    };
    Expansion { output, errors }
}

fn check(words: &Words, item: &ItemFn, errors: &mut Errors) -> Option<Builder> {
    let krate = words.crate_path(errors);
    let transports = words.list("transports", errors);
    let before = errors.count();
    plain(&item.sig, errors);
    match &item.sig.output {
        ReturnType::Default => errors.push(
            &item.sig.ident,
            "the function returns the node to run: write `-> NodeBuilder` or `-> Result<NodeBuilder, Error>`",
        ),
        ReturnType::Type(_, ty) if errors.count() == before => {
            let mut name = item.sig.ident.clone();
            name.set_span(name.span().located_at(ty.span()));
            return Some(Builder { krate, transports, item: item.clone(), name });
        }
        ReturnType::Type(..) => {}
    }
    None
}

/// Reports modifiers that a function without a caller cannot have.
fn plain(signature: &Signature, errors: &mut Errors) {
    if let Some(token) = &signature.constness {
        errors.push(token, "the function runs once, at the start: remove `const`");
    }
    if let Some(token) = &signature.unsafety {
        errors.push(
            token,
            "the function runs without a caller that could uphold a safety contract: remove `unsafe`",
        );
    }
    if let Some(abi) = &signature.abi {
        errors.push(abi, "the function has Rust's own calling convention: remove `extern`");
    }
    if !signature.generics.params.is_empty() {
        errors.push(
            &signature.generics,
            "the function cannot be generic: `main` has no caller that chooses parameters",
        );
    }
    if !signature.inputs.is_empty() {
        let message =
            "the function takes no arguments: configuration, environment and flags reach the node it returns";
        errors.push(&signature.inputs, message);
    }
    if let Some(clause) = &signature.generics.where_clause {
        errors.push(clause, "the function has no `where` clause: remove it");
    }
}

fn emit(builder: &Builder) -> TokenStream {
    let Builder { krate, transports, item, name } = builder;
    let site = Span::mixed_site();
    let run =
        format_ident!("{}", if item.sig.asyncness.is_some() { "main_async" } else { "main" }, span = site);
    // A function called `main` moves into the generated one. Any other stays in place, so that tests can call it.
    let (beside, within) = if name.unraw() == "main" { (None, Some(item)) } else { (Some(item), None) };
    quote_spanned! {site=>
        #beside

        fn main() -> ::std::process::ExitCode {
            #within
            #(
                if let ::core::result::Result::Err(error) = #krate::transport::register(#transports) {
                    return #krate::__private::refused(&error);
                }
            )*
            #krate::__private::#run(
                ::core::option_env!("CARGO_BIN_NAME").unwrap_or(::core::env!("CARGO_PKG_NAME")),
                ::core::env!("CARGO_PKG_VERSION"),
                ::core::option_env!("POLYWIRE_COMMIT"),
                #name,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_mistakes, expanded, output};

    #[test]
    fn a_function_of_another_name_stays_beside_main() {
        insta::assert_snapshot!(expanded(expand, "", "/// Our node.\nfn node() -> NodeBuilder { build() }"));
    }

    #[test]
    fn a_function_called_main_moves_into_main() {
        insta::assert_snapshot!(expanded(
            expand,
            "crate = ::wires::poly",
            "async fn main() -> Result<NodeBuilder, Error> { build().await }",
        ));
    }

    #[test]
    fn transports_are_known_before_anything_is_read() {
        insta::assert_snapshot!(expanded(
            expand,
            "transports = [Pigeon, drum::Drum::new(3)]",
            "fn node() -> NodeBuilder { build() }",
        ));
    }

    #[test]
    fn transports_are_a_list() {
        let node = "fn node() -> NodeBuilder { build() }";
        assert_mistakes(
            expand,
            "transports = Pigeon",
            node,
            &[("Pigeon", "like `transports = [Pigeon, Drum]`")],
        );
    }

    #[test]
    fn with_mistakes_there_still_is_a_main() {
        assert!(output(expand, "", "fn main() {}").contains("fn main() {}"));
        let node = output(expand, "", "fn node(a: u8) -> NodeBuilder { build() }");
        assert!(node.contains("fn node(a: u8)") && node.contains("fn main() {}"), "{node}");
    }

    #[test]
    fn it_goes_on_a_function_that_returns_a_node() {
        assert_mistakes(expand, "", "struct Node;", &[("struct Node;", "goes on a function")]);
        assert_mistakes(expand, "", "fn node() {}", &[("node", "write `-> NodeBuilder`")]);
    }

    #[test]
    fn it_takes_no_other_arguments() {
        let node = "fn node() -> NodeBuilder { build() }";
        assert_mistakes(
            expand,
            "flavor = 1",
            node,
            &[("flavor", "write `crate = ::polywire` or `transports = ")],
        );
        assert_mistakes(expand, "crates = ::a", node, &[("crates", "did you mean `crate`?")]);
    }

    #[test]
    fn the_function_is_plain() {
        assert_mistakes(
            expand,
            "",
            "const unsafe extern \"C\" fn node<T>(a: T) where T: Copy {}",
            &[
                ("const", "remove `const`"),
                ("unsafe", "remove `unsafe`"),
                ("extern \"C\"", "remove `extern`"),
                ("<T>", "cannot be generic"),
                ("a: T", "takes no arguments"),
                ("where T: Copy", "no `where` clause"),
                ("node", "write `-> NodeBuilder`"),
            ],
        );
    }
}
