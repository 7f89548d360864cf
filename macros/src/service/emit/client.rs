use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;

use super::super::model::{Method, Service};

/// The client: a channel, and one method for each method of the trait.
pub(super) fn client(service: &Service) -> TokenStream {
    let Service { krate, vis, ident, .. } = service;
    let client = service.derived("Client");
    let docs = format!("A client of [`{}`].", ident.unraw());
    let methods = service.methods.iter().filter(|method| is_inherent(method)).map(|it| forward(service, it));
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client {
            channel: #krate::Channel,
        }

        impl #client {
            /// Creates a client that calls through `channel`: a connection, or any service of this process.
            #vis fn new(channel: impl #krate::Service) -> Self {
                Self { channel: #krate::Channel::new(channel) }
            }

            #(#methods)*
        }
    }
}

/// Whether the client has the method as an inherent one. The name `new` belongs to the constructor; a trait method of
/// that name is available through the client's implementation of the trait.
pub(super) fn is_inherent(method: &Method) -> bool {
    method.ident.unraw() != "new"
}

fn forward(service: &Service, method: &Method) -> TokenStream {
    let (krate, vis, site) = (&service.krate, &service.vis, Span::mixed_site());
    let Method { ident, attributes, .. } = method;
    let (cfg, name, call) = (method.cfg(), &method.request.argument.name, call(service, method));
    let docs = method.docs.is_empty().then(|| {
        let docs = format!("Calls `/{}/{}`.", service.full_name, method.wire_name);
        quote_spanned!(site=> #[doc = #docs])
    });
    let request = streaming(service, method.request.streaming, &method.request.message);
    let reply = streaming(service, method.response.streaming, &method.response.message);
    quote_spanned! {site=>
        #docs
        #(#attributes)*
        #cfg
        #vis fn #ident(&self, #name: #request) -> #krate::Call<#reply> {
            #call
        }
    }
}

/// The expression that describes a call of the method.
pub(super) fn call(service: &Service, method: &Method) -> TokenStream {
    let (krate, definition, site) = (&service.krate, service.derived("Definition"), Span::mixed_site());
    let (wire_name, message, name) =
        (&method.wire_name, &method.request.message, &method.request.argument.name);
    let body = if method.request.streaming {
        quote_spanned!(site=> #krate::Body::many::<#message>(#name))
    } else {
        quote_spanned!(site=> #krate::Body::one::<#message>(#name))
    };
    let reply = streaming(service, method.response.streaming, &method.response.message);
    quote_spanned! {site=>
        #krate::Call::<#reply>::new(
            &self.channel,
            const { #krate::__private::method::<#definition>(#wire_name) },
            #body,
        )
    }
}

fn streaming(service: &Service, streaming: bool, message: &syn::Type) -> TokenStream {
    let krate = &service.krate;
    if streaming {
        return quote_spanned!(Span::mixed_site()=> #krate::Streaming<#message>);
    }
    message.to_token_stream()
}
