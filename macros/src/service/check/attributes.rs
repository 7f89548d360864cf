use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token, punctuated::Punctuated};

/// The text of the doc comments, without `#[doc = include_str!(…)]`, whose text the macro cannot see.
pub(super) fn docs(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(doc).collect();
    lines.join("\n").trim().to_owned()
}

fn doc(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    match &meta.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if meta.path.is_ident("doc") => {
            let text = text.value();
            Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
        }
        _ => None,
    }
}

/// The `cfg` predicate of an item, if it has one. A `cfg_attr` contributes its `cfg`s alone: `cfg_attr(p, cfg(q))` is
/// `cfg(any(not(p), q))`.
pub(super) fn condition(attributes: &[Attribute]) -> Option<TokenStream> {
    let mut predicates: Vec<TokenStream> = attributes.iter().flat_map(predicates).collect();
    if predicates.len() > 1 {
        return Some(quote!(all(#(#predicates),*)));
    }
    predicates.pop()
}

fn predicates(attribute: &Attribute) -> Vec<TokenStream> {
    let Meta::List(list) = &attribute.meta else { return Vec::new() };
    if list.path.is_ident("cfg") {
        return vec![list.tokens.clone()];
    }
    if !list.path.is_ident("cfg_attr") {
        return Vec::new();
    }
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return Vec::new();
    };
    let Some(unless) = parts.first() else { return Vec::new() };
    let cfgs = parts
        .iter()
        .skip(1)
        .filter_map(|part| part.require_list().ok())
        .filter(|part| part.path.is_ident("cfg"));
    cfgs.map(|cfg| &cfg.tokens).map(|predicate| quote!(any(not(#unless), #predicate))).collect()
}

/// The attributes of a method to repeat on the client's method.
pub(super) fn for_client(attributes: &[Attribute]) -> Vec<Attribute> {
    let wanted = ["doc", "deprecated", "allow"];
    attributes
        .iter()
        .filter(|attribute| wanted.iter().any(|name| attribute.path().is_ident(name)))
        .cloned()
        .collect()
}

/// Whether the compiler warns about uses of the item.
pub(super) fn deprecated(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("deprecated"))
}
