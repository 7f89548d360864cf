use syn::{Ident, LitStr, ext::IdentExt};

use super::super::parse::ParsedMethod;
use crate::{errors::Errors, words::Words};

/// The package; empty if there is no valid one.
pub(super) fn package(words: &Words, errors: &mut Errors) -> String {
    const EXPECTED: &str = "lower-case words joined by dots, like `inventory.v1`";
    if !words.has("package") {
        let message = "a service has a package: write `#[polywire::service(package = \"inventory.v1\")]`";
        errors.push_at(proc_macro2::Span::call_site(), message);
    }
    let Some(package) = words.string("package", errors) else { return String::new() };
    let text = package.value();
    if text.split('.').all(is_package_word) {
        return text;
    }
    errors.push(package, format!("a package is {EXPECTED}"));
    String::new()
}

/// The service's name on the wire.
pub(super) fn service(words: &Words, ident: &Ident, errors: &mut Errors) -> String {
    let given = words.string("name", errors);
    wire_name(given, ident, ident.unraw().to_string(), "#[polywire::service(name = \"Inventory\")]", errors)
}

/// The method's name on the wire.
pub(super) fn method(method: &ParsedMethod, errors: &mut Errors) -> String {
    let ident = &method.item.sig.ident;
    let given = method.words.string("name", errors);
    wire_name(given, ident, upper_camel_case(&ident.unraw().to_string()), "#[rpc(name = \"Get\")]", errors)
}

/// An identifier of protobuf (<https://protobuf.dev/reference/protobuf/proto3-spec/#identifiers>), so that a `.proto` file
/// can describe the service.
fn wire_name(
    given: Option<LitStr>,
    ident: &Ident,
    default: String,
    example: &str,
    errors: &mut Errors,
) -> String {
    let name = given.as_ref().map_or(default, LitStr::value);
    if is_wire_name(&name) {
        return name;
    }
    match given {
        Some(given) => {
            errors.push(given, "a name on the wire is a letter, then letters, digits or `_`, like `Get`")
        }
        None => errors.push(ident, format!("this is not a valid name on the wire: set one with `{example}`")),
    }
    name
}

/// The wire names of the methods so far.
#[derive(Default)]
pub(super) struct Taken(Vec<(String, Ident, bool)>);

impl Taken {
    /// Whether the name was free. Two methods that both have a `cfg` may share a name, as they may share an identifier.
    pub(super) fn insert(&mut self, method: &ParsedMethod, name: &str, errors: &mut Errors) -> bool {
        let ident = &method.item.sig.ident;
        let conditional = super::attributes::condition(&method.item.attrs).is_some();
        let clash = self.0.iter().find(|(taken, _, other)| taken == name && !(conditional && *other));
        if let Some((_, other, _)) = clash {
            let message = format!(
                "`{name}` is also the wire name of `{other}`: give one of them another with `#[rpc(name = \"…\")]`"
            );
            match method.words.string("name", &mut Errors::default()) {
                Some(given) => errors.push(given, message),
                None => errors.push(ident, message),
            }
            return false;
        }
        self.0.push((name.to_owned(), ident.clone(), conditional));
        true
    }
}

fn is_package_word(word: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase();
    word.starts_with(letter) && word.chars().all(|c| letter(c) || c.is_ascii_digit() || c == '_')
}

fn is_wire_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn upper_camel_case(name: &str) -> String {
    name.split('_').map(capitalised).collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_named_in_upper_camel_case() {
        let cases = [("get", "Get"), ("get_item", "GetItem"), ("_get__v2_", "GetV2"), ("getItem", "GetItem")];
        for (name, expected) in cases {
            assert_eq!(upper_camel_case(name), expected);
        }
    }

    #[test]
    fn a_package_word_is_a_lower_case_identifier() {
        for word in ["inventory", "v1", "v1beta2", "two_words"] {
            assert!(is_package_word(word), "{word}");
        }
        for word in ["", "1v", "Inventory", "two-words", "_v1", "größe"] {
            assert!(!is_package_word(word), "{word}");
        }
    }
}
