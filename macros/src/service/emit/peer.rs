use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::{
    super::model::{ErrorType, Method, Service},
    client,
};

/// The client as an implementation of the trait, so that code written against the trait also runs against a peer.
///
/// Only the compiler knows whether each error type is `From<Status>` and each supertrait holds. An unmet bound without
/// parameters is a compile error; an unmet bound that names a lifetime, as `Deferred` does, only removes the
/// implementation.
pub(super) fn peer(service: &Service) -> TokenStream {
    let Service { ident, .. } = service;
    let (site, client) = (Span::mixed_site(), service.derived("Client"));
    let (aliases, bounds) = bounds(service, &client);
    let methods = service.methods.iter().map(|method| implement(service, method));
    let allow = super::allow_deprecated(service);
    let clause = (!bounds.is_empty()).then(|| quote_spanned!(site=> where #(#bounds),*));
    let implementation = quote_spanned! {site=>
        #allow
        impl #ident for #client #clause {
            #(#methods)*
        }
    };
    if aliases.is_empty() {
        return implementation;
    }
    quote_spanned!(site=> const _: () = { #(#aliases)* #implementation };)
}

/// The bounds, and the type aliases that they name. An error type of a method that is compiled out may not exist; `cfg`
/// works on an alias and not on a bound.
fn bounds(service: &Service, client: &Ident) -> (Vec<TokenStream>, Vec<TokenStream>) {
    let (krate, site) = (&service.krate, Span::mixed_site());
    let (mut aliases, mut bounds): (Vec<TokenStream>, Vec<TokenStream>) = Default::default();
    for supertrait in &service.supertraits {
        bounds.push(deferred(service, client, supertrait));
    }
    let status = quote_spanned!(site=> ::core::convert::From<#krate::Status>);
    let mut seen = Vec::new();
    for (index, method) in service.methods.iter().enumerate() {
        let ErrorType::Other(ty) = &method.error else { continue };
        if let Some(condition) = &method.condition {
            let alias = format_ident!("__Error{index}", span = site);
            aliases.push(quote_spanned! {site=>
                #[cfg(#condition)]
                type #alias = #ty;
                #[cfg(not(#condition))]
                type #alias = #krate::Status;
            });
            bounds.push(deferred(service, &alias, &status));
        } else if !seen.contains(&ty) {
            seen.push(ty);
            bounds.push(deferred(service, ty, &status));
        }
    }
    (aliases, bounds)
}

fn deferred(service: &Service, ty: &impl ToTokens, bound: &impl ToTokens) -> TokenStream {
    let krate = &service.krate;
    quote_spanned! {Span::mixed_site()=>
        for<'__a> <#ty as #krate::__private::Deferred<'__a>>::Type: #bound
    }
}

fn implement(service: &Service, method: &Method) -> TokenStream {
    // Located at the reply, so that an error about awaiting the call points there.
    let site = Span::mixed_site().located_at(method.response.message.span());
    let Method { ident, returns, .. } = method;
    let (cfg, argument) = (method.cfg(), &method.request.argument);
    let (name, ty) = (&argument.name, &argument.ty);
    let call = if client::is_inherent(method) {
        quote_spanned!(site=> Self::#ident(self, #name))
    } else {
        client::call(service, method)
    };
    let (mut context, mut in_context) = (None, None);
    if let Some(argument) = &method.context {
        let (name, ty) = (&argument.name, &argument.ty);
        context = Some(quote_spanned!(site=> #name: #ty,));
        in_context = Some(quote_spanned!(site=> .context(#name)));
    }
    let wrapped = method.response.wrapped.then(|| quote_spanned!(site=> .response()));
    quote_spanned! {site=>
        #cfg
        async fn #ident(&self, #context #name: #ty) #returns {
            #call #in_context #wrapped .await.map_err(::core::convert::Into::into)
        }
    }
}
