//! What the unit tests of both macros look at.

use proc_macro2::TokenStream;

use crate::errors::Expansion;

/// A macro: arguments and item to expansion.
pub(crate) type Macro = fn(TokenStream, TokenStream) -> Expansion;

/// The formatted output of an expansion without mistakes.
pub(crate) fn expanded(expand: Macro, arguments: &str, item: &str) -> String {
    let expansion = expand(tokens(arguments), tokens(item));
    let mistakes: Vec<String> = expansion.errors.iter().map(ToString::to_string).collect();
    assert!(mistakes.is_empty(), "{mistakes:?}");
    formatted(expansion.output)
}

/// Each mistake as the text it underlines and what it says.
pub(crate) fn mistakes(expand: Macro, arguments: &str, item: &str) -> Vec<(String, String)> {
    let expansion = expand(tokens(arguments), tokens(item));
    let mistakes = expansion.errors.iter();
    mistakes.map(|mistake| (mistake.span().source_text().unwrap_or_default(), mistake.to_string())).collect()
}

/// Fails unless just these mistakes are found, each underlining this text and saying this among other things.
#[track_caller]
pub(crate) fn assert_mistakes(expand: Macro, arguments: &str, item: &str, expected: &[(&str, &str)]) {
    let found = mistakes(expand, arguments, item);
    let fits = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.0 == expected.0 && found.1.contains(expected.1));
    assert!(fits, "expected {expected:#?}\nfound {found:#?}");
}

/// The output, whatever the mistakes.
pub(crate) fn output(expand: Macro, arguments: &str, item: &str) -> String {
    formatted(expand(tokens(arguments), tokens(item)).output)
}

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

fn formatted(output: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(output).unwrap())
}
