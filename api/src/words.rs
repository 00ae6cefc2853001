//! Words: closed sets of strings on the wire, whose meanings vendors can read in the document.
//!
//! utoipa's derive leaves out the doc comments of variants, so the schema is built here from the same lines.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

/// A string schema with its values; each value's meaning becomes a line of the description.
pub(crate) fn schema(about: &[&str], words: &[(&str, String)]) -> RefOr<Schema> {
    let about: Vec<&str> = about.iter().map(|line| line.trim()).collect();
    let meanings: Vec<String> =
        words.iter().map(|(word, meaning)| format!("- `{word}`: {}", meaning.trim())).collect();
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("{}\n\n{}", about.join("\n"), meanings.join("\n"))))
        .enum_values(Some(words.iter().map(|(word, _)| *word)));
    RefOr::T(object.into())
}

/// Declares an enum of words: `Variant = "word"`, each with its meaning as a doc comment.
macro_rules! words {
    ($($(#[doc = $about:literal])+ $name:ident { $(#[doc = $meaning:literal] $variant:ident = $word:literal,)+ })+) => {
        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
            pub enum $name {
                $(#[doc = $meaning] #[serde(rename = $word)] $variant,)+
            }

            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    $crate::words::schema(&[$($about),+], &[$(($word, str::to_owned($meaning))),+])
                }
            }

            impl utoipa::ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )+
    };
}

pub(crate) use words;
