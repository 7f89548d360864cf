//! The declaration of a section: its fields, defaults, documentation and checks in one place.

use serde::{Serialize, de::DeserializeOwned};

use super::Setting;

/// The description of a key.
#[derive(Debug)]
pub struct Key {
    /// The name within the section.
    pub name: &'static str,
    /// The lines of the doc comment.
    pub doc: &'static [&'static str],
    /// The accepted values, to follow "expected".
    pub expected: &'static str,
    /// The accepted values of an element, if the key is a list.
    pub element: &'static str,
    /// A TOML value to show for an unset key.
    pub example: &'static str,
    /// Whether the key accepts a path that is not Unicode, in the form of [`path`](super::path).
    pub is_path: bool,
}

impl Key {
    /// The key `name` of a section, whose values are `T`s.
    pub const fn of<T: Setting>(name: &'static str, doc: &'static [&'static str]) -> Self {
        Self { name, doc, expected: T::EXPECTED, element: T::ELEMENT, example: T::EXAMPLE, is_path: false }
    }
}

/// A section with its keys and its place in the file.
#[derive(Debug)]
pub struct Outline {
    /// The dotted name in the header; empty for the top of the file.
    pub path: String,
    /// The lines of the doc comment in the parent section.
    pub doc: &'static [&'static str],
    /// The section's own keys, without those of sections below.
    pub keys: Vec<Key>,
}

impl Key {
    /// Sets the serde module of the values.
    #[must_use]
    pub fn written_as(self, module: &str) -> Self {
        Self { is_path: module.ends_with("::path"), ..self }
    }
}

impl Outline {
    /// Whether the section itself has this key.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|own| own.name == key)
    }

    /// The keys with their dotted names.
    pub fn full_keys(&self) -> impl Iterator<Item = (String, &Key)> {
        self.keys.iter().map(|key| (join(&self.path, key.name), key))
    }
}

/// A section of the configuration. Only [`section!`](crate::section) implements this trait; its hidden items may change.
pub trait Section: Serialize + DeserializeOwned + Default + Clone + Send + Sync + 'static {
    #[doc(hidden)]
    const DOC: &'static [&'static str];

    /// Adds the outline of this section and of those below it, in the order of declaration.
    #[doc(hidden)]
    fn outline(path: &str, doc: &'static [&'static str], into: &mut Vec<Outline>);

    /// Adds the dotted name and the accepted values of each key that is out of range.
    #[doc(hidden)]
    fn faults(&self, path: &str, into: &mut Vec<(String, &'static str)>);
}

/// The dotted name of `name` below `path`.
pub fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// Declares a section of the configuration: keys as `pub key: Type = default`, then the sections below it.
///
/// The doc comment of a key is its rustdoc. Its first paragraph is also the help of the key's flag and its comment in the
/// output of `config print`. A type implements [`Setting`](crate::settings::Setting), which checks its range. `Type as
/// "module"` sets a serde module: `polywire::settings::duration` for a `Duration` and `polywire::settings::path` for a path.
/// The struct implements `Default`, serde's traits and [`Section`](crate::settings::Section).
///
/// ```
/// polywire::section! {
///     /// Carrier pigeons.
///     pub struct Pigeons {
///         /// Whether the node serves over pigeons.
///         pub enabled: bool = false,
///         /// How many pigeons are kept.
///         pub loft_size: u32 = 12,
///     }
/// }
/// assert_eq!(Pigeons::default().loft_size, 12);
/// ```
#[macro_export]
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
        $(beside {
            $(
                $(#[doc = $beside_doc:literal])*
                pub $beside:ident: $beside_ty:ty,
            )*
        })?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $key_doc])*
                #[doc = ""]
                #[doc = concat!("Default: `", stringify!($default), "`.")]
                pub $key: $ty,
            )*
            $($(
                $(#[doc = $sub_doc])*
                pub $sub: $sub_ty,
            )*)?
            $($(
                $(#[doc = $beside_doc])*
                pub $beside: $beside_ty,
            )*)?
        }

        // Serde's derives take the path of its crate as a text, which cannot name this macro's crate: they are of a
        // struct beside, in a block where the crate has a name of its own.
        const _: () = {
            use $crate::settings::serde as section_serde;

            #[derive(section_serde::Serialize, section_serde::Deserialize)]
            #[serde(crate = "section_serde", default)]
            struct Fields {
                $(
                    $(#[serde(with = $with)])?
                    $key: $ty,
                )*
                $($($sub: $sub_ty,)*)?
                $($(
                    #[serde(skip)]
                    $beside: $beside_ty,
                )*)?
            }

            impl Default for Fields {
                fn default() -> Self {
                    $name::default().into()
                }
            }

            impl From<$name> for Fields {
                fn from(section: $name) -> Self {
                    let $name { $($key,)* $($($sub,)*)? $($($beside,)*)? } = section;
                    Self { $($key,)* $($($sub,)*)? $($($beside,)*)? }
                }
            }

            impl section_serde::Serialize for $name {
                fn serialize<S: section_serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    section_serde::Serialize::serialize(&Fields::from(self.clone()), serializer)
                }
            }

            impl<'de> section_serde::Deserialize<'de> for $name {
                fn deserialize<D: section_serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let Fields { $($key,)* $($($sub,)*)? $($($beside,)*)? } =
                        section_serde::Deserialize::deserialize(deserializer)?;
                    Ok(Self { $($key,)* $($($sub,)*)? $($($beside,)*)? })
                }
            }
        };

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $default,)*
                    $($($sub: Default::default(),)*)?
                    $($($beside: Default::default(),)*)?
                }
            }
        }

        impl $crate::settings::Section for $name {
            const DOC: &'static [&'static str] = &[$($doc),*];

            fn outline(
                path: &str,
                doc: &'static [&'static str],
                into: &mut ::std::vec::Vec<$crate::settings::Outline>,
            ) {
                into.push($crate::settings::Outline {
                    path: path.to_owned(),
                    doc,
                    keys: vec![$(
                        $crate::settings::Key::of::<$ty>(stringify!($key), &[$($key_doc),*])
                            $(.written_as($with))?,
                    )*],
                });
                $($(
                    <$sub_ty as $crate::settings::Section>::outline(
                        &$crate::settings::join(path, stringify!($sub)),
                        &[$($sub_doc),*],
                        into,
                    );
                )*)?
            }

            fn faults(&self, path: &str, into: &mut ::std::vec::Vec<(::std::string::String, &'static str)>) {
                $(
                    if !$crate::settings::Setting::in_range(&self.$key) {
                        into.push((
                            $crate::settings::join(path, stringify!($key)),
                            <$ty as $crate::settings::Setting>::EXPECTED,
                        ));
                    }
                )*
                $($(
                    $crate::settings::Section::faults(
                        &self.$sub,
                        &$crate::settings::join(path, stringify!($sub)),
                        into,
                    );
                )*)?
                let _ = (path, into);
            }
        }
    };
}
