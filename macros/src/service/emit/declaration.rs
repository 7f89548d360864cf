use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, ItemTrait, ReturnType, Stmt, Token, TraitItem, TraitItemFn, Type, parse_quote_spanned};

/// The user's trait, even with mistakes, with methods whose futures are `Send`, as every transport requires.
pub(super) fn declaration(item: &ItemTrait) -> TokenStream {
    let mut item = item.clone();
    let site = Span::mixed_site();
    item.colon_token.get_or_insert(Token![:](site));
    item.supertraits.push(parse_quote_spanned!(site=> ::core::marker::Send));
    item.supertraits.push(parse_quote_spanned!(site=> ::core::marker::Sync));
    item.supertraits.push(parse_quote_spanned!(site=> 'static));
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item {
            desugar(method);
        }
    }
    item.into_token_stream()
}

/// `async fn … -> T` as `fn … -> impl Future<Output = T> + Send`. A user's `async fn` implements it.
fn desugar(method: &mut TraitItemFn) {
    let Some(token) = method.sig.asyncness.take() else { return };
    // A future that is not `Send` is reported here.
    let site = Span::mixed_site().located_at(token.span);
    let output = match &method.sig.output {
        ReturnType::Default => quote_spanned!(site=> ()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    method.sig.output = ReturnType::Type(
        Token![->](site),
        Box::new(Type::Verbatim(quote_spanned! {site=>
            impl ::core::future::Future<Output = #output> + ::core::marker::Send
        })),
    );
    if let Some(body) = &mut method.default {
        let block = quote_spanned!(site=> async move #body);
        body.stmts = vec![Stmt::Expr(Expr::Verbatim(block), None)];
    }
}
