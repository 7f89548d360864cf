mod client;
mod declaration;
mod definition;
mod dispatch;
mod peer;

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ItemTrait;

use super::model::Service;

/// The output of the macro: the trait and, if there is a model of it, the service.
pub(super) fn emit(item: &ItemTrait, service: Option<&Service>) -> TokenStream {
    let mut output = declaration::declaration(item);
    if let Some(service) = service {
        output.extend([
            definition::definition(service),
            dispatch::dispatch(service),
            client::client(service),
        ]);
        if service.complete {
            output.extend(peer::peer(service));
        }
    }
    output
}

/// Silences deprecation warnings in generated code.
fn allow_deprecated(service: &Service) -> Option<TokenStream> {
    let site = proc_macro2::Span::mixed_site();
    service.deprecated.then(|| quote_spanned!(site=> #[allow(deprecated)]))
}
