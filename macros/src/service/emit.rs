mod client;
mod declaration;
mod definition;
mod dispatch;
mod peer;

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ItemTrait;

use super::model::Service;

/// Everything the macro gives: the trait as it was meant and, where there is a model of it, what makes it
/// a service.
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

/// Keeps uses of what is deprecated from warning where the user did not write them.
fn allow_deprecated(service: &Service) -> Option<TokenStream> {
    let site = proc_macro2::Span::mixed_site();
    service.deprecated.then(|| quote_spanned!(site=> #[allow(deprecated)]))
}
