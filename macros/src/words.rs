use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Expr, ExprArray, Ident, Lit, LitInt, LitStr, Path, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

use crate::{errors::Errors, nearest::nearest};

/// The arguments that an attribute accepts, each with an example.
pub(crate) struct Vocabulary {
    /// The attribute as the user writes it.
    pub(crate) attribute: &'static str,
    /// Word and example.
    pub(crate) words: &'static [(&'static str, &'static str)],
}

/// The arguments between an attribute's parentheses: known, each at most once, with unchecked values.
pub(crate) struct Words {
    vocabulary: &'static Vocabulary,
    entries: Vec<Entry>,
}

struct Entry {
    word: Ident,
    value: Option<Value>,
}

enum Value {
    Literal(Lit),
    Path(Path),
    Other(TokenStream),
}

impl Words {
    /// Reads `word, word = value, …`.
    pub(crate) fn parse(tokens: TokenStream, vocabulary: &'static Vocabulary, errors: &mut Errors) -> Self {
        let mut words = Self { vocabulary, entries: Vec::new() };
        for piece in pieces(tokens) {
            match syn::parse2(piece.clone()) {
                Ok(entry) => words.insert(entry, errors),
                Err(_) => errors.push(piece, format!("expected {}", words.choices())),
            }
        }
        words
    }

    /// Whether the word is given, with any value or none.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.find(word).is_some()
    }

    /// Whether a word that takes no value is given.
    pub(crate) fn flag(&self, word: &str, errors: &mut Errors) -> bool {
        let Some(entry) = self.find(word) else { return false };
        if entry.value.is_some() {
            errors.push(&entry.word, format!("`{word}` takes no value: write `{word}` alone"));
        }
        true
    }

    /// The value of a word that takes a string.
    pub(crate) fn string(&self, word: &str, errors: &mut Errors) -> Option<LitStr> {
        match &self.find(word)?.value {
            Some(Value::Literal(Lit::Str(string))) => Some(string.clone()),
            _ => self.wrong_value(word, errors),
        }
    }

    /// The value of a word that takes an integer.
    pub(crate) fn integer(&self, word: &str, errors: &mut Errors) -> Option<LitInt> {
        match &self.find(word)?.value {
            Some(Value::Literal(Lit::Int(integer))) => Some(integer.clone()),
            _ => self.wrong_value(word, errors),
        }
    }

    /// The elements of a word that takes a list of expressions in brackets; empty if it is not given.
    pub(crate) fn list(&self, word: &str, errors: &mut Errors) -> Vec<Expr> {
        let Some(entry) = self.find(word) else { return Vec::new() };
        let list = match &entry.value {
            Some(Value::Other(tokens)) => syn::parse2::<ExprArray>(tokens.clone()).ok(),
            _ => None,
        };
        let list = list.or_else(|| self.wrong_value(word, errors));
        list.map(|list| list.elems.into_iter().collect()).unwrap_or_default()
    }

    /// The value of `crate = path`; `::polywire` if it is not given.
    pub(crate) fn crate_path(&self, errors: &mut Errors) -> Path {
        let path = self.find("crate").and_then(|entry| match &entry.value {
            Some(Value::Path(path)) => Some(path.clone()),
            _ => self.wrong_value("crate", errors),
        });
        path.unwrap_or_else(|| syn::parse_quote!(::polywire))
    }

    fn insert(&mut self, entry: Entry, errors: &mut Errors) {
        let word = entry.word.unraw().to_string();
        if !self.vocabulary.words.iter().any(|(known, _)| *known == word) {
            return errors.push(&entry.word, self.unknown(&word));
        }
        if self.find(&word).is_some() {
            return errors.push(&entry.word, format!("`{word}` is given twice: remove one"));
        }
        self.entries.push(entry);
    }

    fn find(&self, word: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.word.unraw() == word)
    }

    fn wrong_value<T>(&self, word: &str, errors: &mut Errors) -> Option<T> {
        let entry = self.find(word)?;
        let example = self.vocabulary.words.iter().find(|(known, _)| *known == word)?.1;
        let message = format!("expected a value like `{example}`");
        match &entry.value {
            None => errors.push(&entry.word, message),
            Some(Value::Literal(literal)) => errors.push(literal, message),
            Some(Value::Path(path)) => errors.push(path, message),
            Some(Value::Other(tokens)) => errors.push(tokens, message),
        }
        None
    }

    fn unknown(&self, word: &str) -> String {
        let attribute = self.vocabulary.attribute;
        match nearest(word, self.vocabulary.words.iter().map(|(known, _)| *known)) {
            Some(meant) => format!("{attribute} does not know `{word}`; did you mean `{meant}`?"),
            None => format!("{attribute} does not know `{word}`: write {}", self.choices()),
        }
    }

    fn choices(&self) -> String {
        let examples: Vec<String> =
            self.vocabulary.words.iter().map(|(_, example)| format!("`{example}`")).collect();
        match examples.as_slice() {
            [front @ .., last] if !front.is_empty() => format!("{} or {last}", front.join(", ")),
            _ => examples.concat(),
        }
    }
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = Ident::parse_any(input)?;
        if input.is_empty() {
            return Ok(Self { word, value: None });
        }
        input.parse::<Token![=]>()?;
        let tokens: TokenStream = input.parse()?;
        if tokens.is_empty() {
            return Err(input.error("expected a value"));
        }
        let value = if let Ok(literal) = syn::parse2(tokens.clone()) {
            Value::Literal(literal)
        } else if let Ok(path) = syn::parse::Parser::parse2(Path::parse_mod_style, tokens.clone()) {
            Value::Path(path)
        } else {
            Value::Other(tokens)
        };
        Ok(Self { word, value: Some(value) })
    }
}

/// Splits the tokens at commas. Each piece is parsed separately, so that one mistake does not hide the next.
fn pieces(tokens: TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let pieces = tokens.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
    pieces.filter(|piece| !piece.is_empty()).map(|piece| piece.iter().cloned().collect()).collect()
}
