//! How a section is declared: once, for its fields, defaults, documentation and checks.

use super::setting::Setting;

/// One key of a section, as its declaration describes it.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name within the section.
    pub(super) name: &'static str,
    /// The lines of its doc comment.
    pub(super) doc: &'static [&'static str],
    /// The values it takes, to follow "expected".
    pub(super) expected: &'static str,
    /// The values that an element takes, where the key is a list.
    pub(super) element: &'static str,
    /// A TOML value to show where the key has none of its own.
    pub(super) example: &'static str,
}

impl Key {
    /// The key `name` of a section, whose values are `T`s.
    pub(super) const fn of<T: Setting>(name: &'static str, doc: &'static [&'static str]) -> Self {
        Self { name, doc, expected: T::EXPECTED, element: T::ELEMENT, example: T::EXAMPLE }
    }
}

/// A section and its keys, at its place in the file.
#[derive(Debug)]
pub(super) struct Outline {
    /// The dotted name in the header, empty for the file's top.
    pub(super) path: String,
    /// The lines of the doc comment where the section is mentioned.
    pub(super) doc: &'static [&'static str],
    /// The keys that it holds itself, without those of sections below.
    pub(super) keys: Vec<Key>,
}

impl Outline {
    /// The keys with their dotted names.
    pub(super) fn full_keys(&self) -> impl Iterator<Item = (String, &Key)> {
        self.keys.iter().map(|key| (join(&self.path, key.name), key))
    }
}

/// What `section!` writes for each section.
pub(super) trait Section {
    /// Adds this section and those below it, in the order of their declaration.
    fn outline(path: &str, doc: &'static [&'static str], into: &mut Vec<Outline>);

    /// Adds the dotted name and the expectation of each key whose value is out of range.
    fn faults(&self, path: &str, into: &mut Vec<(String, &'static str)>);
}

/// A key by its dotted name.
pub(super) fn find<'a>(name: &str, outlines: &'a [Outline]) -> Option<&'a Key> {
    let mut all = outlines.iter().flat_map(Outline::full_keys);
    all.find_map(|(full, key)| (full == name).then_some(key))
}

/// All sections of the configuration, the file's top first.
pub(super) fn outlines() -> Vec<Outline> {
    let mut all = Vec::new();
    super::Config::outline("", &[], &mut all);
    all
}

/// `name` below `path`, in the dotted form.
pub(super) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// Declares a section: `pub key: Type = default`, then the sections below it.
///
/// The doc comment of a key is its rustdoc and, up to the first empty line, the comment that
/// [`Config::to_toml`](super::Config::to_toml) prints. `Type as "module"` names a serde module.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $key_doc:literal])*
                pub $key:ident: $ty:ty $(as $with:literal)? = $default:expr,
            )*
        }
        $(sections {
            $(
                $(#[doc = $sub_doc:literal])*
                pub $sub:ident: $sub_ty:ty,
            )*
        })?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[doc = $key_doc])*
                #[doc = ""]
                #[doc = concat!("Default: `", stringify!($default), "`.")]
                $(#[serde(with = $with)])?
                pub $key: $ty,
            )*
            $($(
                $(#[doc = $sub_doc])*
                pub $sub: $sub_ty,
            )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $default,)*
                    $($($sub: Default::default(),)*)?
                }
            }
        }

        impl $crate::config::section::Section for $name {
            fn outline(
                path: &str,
                doc: &'static [&'static str],
                into: &mut Vec<$crate::config::section::Outline>,
            ) {
                into.push($crate::config::section::Outline {
                    path: path.to_owned(),
                    doc,
                    keys: vec![$(
                        $crate::config::section::Key::of::<$ty>(stringify!($key), &[$($key_doc),*]),
                    )*],
                });
                $($(
                    <$sub_ty as $crate::config::section::Section>::outline(
                        &$crate::config::section::join(path, stringify!($sub)),
                        &[$($sub_doc),*],
                        into,
                    );
                )*)?
            }

            fn faults(&self, path: &str, into: &mut Vec<(String, &'static str)>) {
                $(
                    if !$crate::config::setting::Setting::in_range(&self.$key) {
                        into.push((
                            $crate::config::section::join(path, stringify!($key)),
                            <$ty as $crate::config::setting::Setting>::EXPECTED,
                        ));
                    }
                )*
                $($(
                    $crate::config::section::Section::faults(
                        &self.$sub,
                        &$crate::config::section::join(path, stringify!($sub)),
                        into,
                    );
                )*)?
                let _ = (path, into);
            }
        }
    };
}
