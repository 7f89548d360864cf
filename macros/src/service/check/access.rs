use crate::{errors::Errors, nearest::nearest, words::Words};

/// A class of callers: its word in an attribute, and its variant in the table.
#[derive(Clone, Copy)]
pub(super) struct Class {
    word: &'static str,
    variant: &'static str,
}

const APPLICATION: &str = "application";

const CLASSES: [Class; 4] = [
    Class { word: "public", variant: "Public" },
    Class { word: "member", variant: "Member" },
    Class { word: "operator", variant: "Operator" },
    Class { word: APPLICATION, variant: "Application" },
];

impl Class {
    /// What the table says; nothing of the default.
    pub(super) fn variant(self) -> Option<&'static str> {
        (self.word != APPLICATION).then_some(self.variant)
    }
}

/// The class that the attribute names; `None` if it names none.
pub(super) fn class(words: &Words, errors: &mut Errors) -> Option<Class> {
    let given = words.string("access", errors)?;
    let word = given.value();
    let class = CLASSES.into_iter().find(|class| class.word == word);
    if class.is_none() {
        let meant = nearest(&word, CLASSES.iter().map(|class| class.word));
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        errors.push(
            given,
            format!("an access class is `public`, `member`, `operator` or `application`{meant}"),
        );
    }
    class
}
