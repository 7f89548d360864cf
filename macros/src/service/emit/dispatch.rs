use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Ident, spanned::Spanned};

use super::super::model::{ErrorType, Method, Service};

/// The `match` that dispatches every call to the implementation.
pub(super) fn dispatch(service: &Service) -> TokenStream {
    let Service { krate, ident, .. } = service;
    let definition = service.derived("Definition");
    let arms = service.methods.iter().map(|method| arm(service, method));
    let allow = super::allow_deprecated(service);
    // `__S`, as a type parameter is not hygienic: a message may be called `S` or `T`.
    quote_spanned! {Span::mixed_site()=>
        #allow
        impl<__S: #ident> #krate::__private::Dispatch<__S> for #definition {
            async fn dispatch(
                service: &__S,
                method: &'static #krate::Method,
                cx: &#krate::Context,
                body: #krate::Body,
            ) -> #krate::__private::Dispatched {
                match method.name() {
                    #(#arms)*
                    _ => ::core::result::Result::Err(#krate::__private::unimplemented(cx)),
                }
            }
        }
    }
}

fn arm(service: &Service, method: &Method) -> TokenStream {
    let (krate, site) = (&service.krate, Span::mixed_site());
    let (trait_ident, ident, name, cfg) = (&service.ident, &method.ident, &method.wire_name, method.cfg());
    let respond = Ident::new(if method.response.streaming { "respond_stream" } else { "respond" }, site);
    let (reply, request) = (&method.response.message, &method.request.message);
    let error = match &method.error {
        ErrorType::Status => quote_spanned!(site=> _),
        ErrorType::Other(ty) => quote_spanned!(site=> #ty),
    };
    // Located at the user's type, so that an error about another `Context` points there.
    let context = method.context.as_ref().map(|context| Ident::new("cx", site.located_at(context.ty.span())));
    let context = context.map(|cx| quote_spanned!(site=> #cx,));
    let request = if method.request.streaming {
        quote_spanned!(site=> #krate::__private::many::<#request>(body))
    } else {
        quote_spanned!(site=> #krate::__private::one::<#request>(body)?)
    };
    quote_spanned! {site=>
        #cfg
        #name => #krate::__private::#respond::<#reply, _, #error>(
            <__S as #trait_ident>::#ident(service, #context #request).await
        ),
    }
}
