use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Ident, ext::IdentExt};

use super::super::model::{Method, Service};

/// The method table, and the alias of the server that uses it.
pub(super) fn definition(service: &Service) -> TokenStream {
    let Service { krate, vis, ident, docs, full_name, .. } = service;
    let (definition, server) = (service.derived("Definition"), service.derived("Server"));
    let rows = service.methods.iter().map(|method| row(service, method));
    let definition_docs = format!("The method table of [`{}`].", ident.unraw());
    let server_docs = format!("A server for an implementation of [`{}`], on any transport.", ident.unraw());
    quote_spanned! {Span::mixed_site()=>
        #[doc = #definition_docs]
        #[::core::prelude::v1::derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #definition;

        impl #krate::__private::Definition for #definition {
            const SERVICE: #krate::ServiceInfo = #krate::ServiceInfo::new(#full_name, #docs, &[#(#rows),*]);
        }

        #[doc = #server_docs]
        #vis type #server<T> = #krate::Server<#definition, T>;
    }
}

fn row(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let path = format!("/{}/{}", service.full_name, method.wire_name);
    let shape = match (method.request.streaming, method.response.streaming) {
        (false, false) => quote!(unary),
        (false, true) => quote!(server_streaming),
        (true, false) => quote!(client_streaming),
        (true, true) => quote!(bidi_streaming),
    };
    let (cfg, options) = (method.cfg(), options(service, method));
    let (request, response) = (&method.request.message, &method.response.message);
    quote_spanned! {Span::mixed_site()=>
        #cfg
        #krate::Method::#shape(#path) #options
            .messages(#krate::__message_types!(#request, #response))
    }
}

fn options(service: &Service, method: &Method) -> TokenStream {
    let (krate, site, options) = (&service.krate, Span::mixed_site(), &method.options);
    let idempotent = options.idempotent.then(|| quote_spanned!(site=> .idempotent()));
    let timeout = options
        .timeout_millis
        .map(|millis| quote_spanned!(site=> .timeout(#krate::__private::millis(#millis))));
    let limit = options.max_message_bytes.map(|bytes| quote_spanned!(site=> .max_message_bytes(#bytes)));
    let access = options.access.map(|class| {
        let class = Ident::new(class, site);
        quote_spanned!(site=> .access(#krate::AccessClass::#class))
    });
    let docs =
        Some(&method.docs).filter(|docs| !docs.is_empty()).map(|docs| quote_spanned!(site=> .docs(#docs)));
    [idempotent, timeout, limit, access, docs].into_iter().map(ToTokens::into_token_stream).collect()
}
