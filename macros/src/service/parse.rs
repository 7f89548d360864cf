use proc_macro2::TokenStream;
use syn::{Attribute, Item, ItemTrait, Meta, TraitItem, TraitItemFn};

use crate::{
    errors::Errors,
    words::{Vocabulary, Words},
};

const SERVICE: Vocabulary = Vocabulary {
    attribute: "`#[polywire::service]`",
    words: &[
        ("package", "package = \"inventory.v1\""),
        ("name", "name = \"Inventory\""),
        ("access", "access = \"operator\""),
        ("crate", "crate = ::polywire"),
    ],
};

const RPC: Vocabulary = Vocabulary {
    attribute: "`#[rpc]`",
    words: &[
        ("idempotent", "idempotent"),
        ("timeout", "timeout = \"5s\""),
        ("name", "name = \"Get\""),
        ("max_message_bytes", "max_message_bytes = 65536"),
        ("access", "access = \"public\""),
    ],
};

/// A trait with its attributes, as written.
pub(super) struct Parsed {
    pub(super) words: Words,
    /// The trait without its `#[rpc]` attributes.
    pub(super) item: ItemTrait,
    pub(super) methods: Vec<ParsedMethod>,
}

/// A method with its options, as written.
pub(super) struct ParsedMethod {
    pub(super) words: Words,
    pub(super) item: TraitItemFn,
}

/// Reads the item. `None` when it is no trait.
pub(super) fn parse(arguments: TokenStream, item: TokenStream, errors: &mut Errors) -> Option<Parsed> {
    let words = Words::parse(arguments, &SERVICE, errors);
    let mut item = match syn::parse2(item) {
        Ok(Item::Trait(item)) => item,
        Ok(other) => {
            errors.push(head(&other), "`#[polywire::service]` goes on a trait: write `pub trait Name { … }`");
            return None;
        }
        Err(error) => {
            errors.extend(error);
            return None;
        }
    };
    let methods = item.items.iter_mut().filter_map(|item| method(item, errors)).collect();
    Some(Parsed { words, item, methods })
}

/// Removes the `#[rpc]` attributes from a trait's item; returns the method if the item is one.
fn method(item: &mut TraitItem, errors: &mut Errors) -> Option<ParsedMethod> {
    match item {
        TraitItem::Fn(item) => {
            let words = take_options(&mut item.attrs, errors);
            Some(ParsedMethod { words, item: item.clone() })
        }
        TraitItem::Const(item) => no_method(&mut item.attrs, errors),
        TraitItem::Type(item) => no_method(&mut item.attrs, errors),
        TraitItem::Macro(item) => no_method(&mut item.attrs, errors),
        _ => None,
    }
}

/// Other items than methods are reported later; only their `#[rpc]` attributes must not reach the compiler.
fn no_method(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Option<ParsedMethod> {
    take_options(attributes, errors);
    None
}

fn take_options(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Words {
    let mut options = TokenStream::new();
    for attribute in attributes.extract_if(.., |attribute| attribute.path().is_ident("rpc")) {
        match attribute.meta {
            Meta::Path(_) => {}
            Meta::List(list) => options.extend([list.tokens, quote::quote!(,)]),
            Meta::NameValue(_) => {
                errors.push(attribute, "expected options in parentheses: write `#[rpc(idempotent)]`")
            }
        }
    }
    Words::parse(options, &RPC, errors)
}

/// The tokens that show the kind of the item.
fn head(item: &Item) -> TokenStream {
    use quote::ToTokens;
    match item {
        Item::Fn(item) => item.sig.fn_token.to_token_stream(),
        Item::Struct(item) => item.struct_token.to_token_stream(),
        Item::Enum(item) => item.enum_token.to_token_stream(),
        Item::Impl(item) => item.impl_token.to_token_stream(),
        Item::Mod(item) => item.mod_token.to_token_stream(),
        other => other.to_token_stream(),
    }
}
