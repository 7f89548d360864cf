mod access;
mod arguments;
mod attributes;
mod message;
mod name;
mod options;
mod response;
mod signature;

use syn::{Ident, ItemTrait, TraitItem, TypeParamBound, ext::IdentExt};

use super::{
    model::{Method, Service},
    parse::{Parsed, ParsedMethod},
};
use crate::errors::Errors;

/// Validates a trait. Returns `None` if only the trait itself can be emitted; otherwise a service with its valid methods.
pub(super) fn service(parsed: &Parsed, errors: &mut Errors) -> Option<Service> {
    let item = &parsed.item;
    let krate = parsed.words.crate_path(errors);
    let package = name::package(&parsed.words, errors);
    let name = name::service(&parsed.words, &item.ident, errors);
    let plain = plain_trait(item, errors);
    item.items.iter().for_each(|item| only_methods(item, errors));
    let access = access::class(&parsed.words, errors);
    let methods = methods(&parsed.methods, access, errors);
    plain.then(|| Service {
        krate,
        vis: item.vis.clone(),
        ident: item.ident.clone(),
        docs: attributes::docs(&item.attrs),
        full_name: if package.is_empty() { name } else { format!("{package}.{name}") },
        complete: methods.len() == item.items.len(),
        deprecated: attributes::deprecated(&item.attrs)
            || parsed.methods.iter().any(|method| attributes::deprecated(&method.item.attrs)),
        methods,
        supertraits: supertraits(item),
    })
}

/// Whether a generated type can implement the trait: it is not generic, `unsafe` or `auto`.
fn plain_trait(item: &ItemTrait, errors: &mut Errors) -> bool {
    let before = errors.count();
    if let Some(token) = &item.unsafety {
        errors.push(token, "a service cannot be `unsafe`: remove it");
    }
    if let Some(token) = &item.auto_token {
        errors.push(token, "a service cannot be `auto`: remove it");
    }
    if !item.generics.params.is_empty() {
        let message = "a service cannot be generic: name the message types in its methods, and write `trait ";
        errors.push(&item.generics, format!("{message}{}`", item.ident));
    }
    if let Some(clause) = &item.generics.where_clause {
        errors
            .push(clause, "a service has no `where` clause: remove it, or write supertraits behind the name");
    }
    errors.count() == before
}

fn only_methods(item: &TraitItem, errors: &mut Errors) {
    let what = match item {
        TraitItem::Fn(_) => return,
        TraitItem::Const(_) => "a service has methods only: move the constant out of the trait",
        TraitItem::Type(_) => "a service has methods only: name the type in the methods instead",
        TraitItem::Macro(_) => "a service has methods only: write out the macro's output",
        _ => {
            "a service has methods only: write `async fn name(&self, request: Request) -> Result<Reply, Status>;`"
        }
    };
    errors.push(item, what);
}

/// The valid methods; those that say nothing of access have that of the service.
fn methods(parsed: &[ParsedMethod], access: Option<access::Class>, errors: &mut Errors) -> Vec<Method> {
    let mut names = name::Taken::default();
    let mut methods = Vec::new();
    for method in parsed {
        let wire_name = name::method(method, errors);
        let unique = names.insert(method, &wire_name, errors);
        let options = options::options(&method.words, access, errors);
        let signature = signature::signature(&method.item.sig, errors);
        let Some(signature) = signature.filter(|_| unique) else { continue };
        methods.push(Method {
            ident: method.item.sig.ident.clone(),
            wire_name,
            docs: attributes::docs(&method.item.attrs),
            condition: attributes::condition(&method.item.attrs),
            attributes: attributes::for_client(&method.item.attrs),
            options,
            context: signature.context,
            request: signature.request,
            returns: method.item.sig.output.clone(),
            response: signature.response,
            error: signature.error,
        });
    }
    methods
}

/// The supertraits, without those that every client meets.
fn supertraits(item: &ItemTrait) -> Vec<TypeParamBound> {
    let met = ["Send", "Sync", "Sized", "Clone", "Debug", "Unpin"];
    let open = item.supertraits.iter().filter(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            let last: Option<&Ident> = bound.path.segments.last().map(|segment| &segment.ident);
            !last.is_some_and(|last| met.contains(&last.unraw().to_string().as_str()))
        }
        _ => false,
    });
    open.cloned().collect()
}
