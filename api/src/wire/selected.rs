//! Schemas of answers that hold only the fields that were asked for, derived from those of the whole.

use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, Object};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{Eligibility, EligibilityResult, ResultChanges, ResultPage, SelectedChanges, SelectedPage};

/// A schema in which only some fields must be there, from the schema of the whole.
fn part_of(whole: RefOr<Schema>, description: &str, required: &[&str]) -> Object {
    let RefOr::T(Schema::Object(mut object)) = whole else { return Object::new() };
    object.description = Some(description.to_owned());
    object.required = required.iter().map(|&name| name.to_owned()).collect();
    object
}

/// The chosen fields of a result; only its schema is ever used.
#[derive(Serialize)]
pub struct SelectedResult {}

impl PartialSchema for SelectedResult {
    fn schema() -> RefOr<Schema> {
        let about = "資格確認結果の、fields で選んだ項目。id は常にあります。";
        let mut object = part_of(EligibilityResult::schema(), about, &["id"]);
        if let Some(RefOr::T(Schema::Array(people))) = object.properties.get_mut("eligibilities") {
            let item: RefOr<Schema> = Ref::from_schema_name("SelectedEligibility").into();
            people.items = item.into();
        }
        RefOr::T(object.into())
    }
}

impl ToSchema for SelectedResult {
    fn name() -> std::borrow::Cow<'static, str> {
        "SelectedResult".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EligibilityResult::schemas(schemas);
        let about = "資格情報の、fields で選んだ項目。";
        let part = part_of(Eligibility::schema(), about, &[]);
        schemas.push(("SelectedEligibility".to_owned(), RefOr::T(part.into())));
    }
}

/// Declares the schema of an answer that is whole, or holds only the fields that were asked for.
macro_rules! whole_or_selected {
    ($($(#[doc = $about:literal])+ $name:ident = $whole:ident | $selected:ident;)+) => {
        $(
            $(#[doc = $about])+
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let part = |name: &str| Ref::from_schema_name(name);
                    let either = AnyOfBuilder::new()
                        .item(part(stringify!($whole)))
                        .item(part(stringify!($selected)))
                        .description(Some([$($about.trim()),+].join("\n")));
                    RefOr::T(Schema::AnyOf(either.build()))
                }
            }

            impl ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    schemas.push((stringify!($whole).to_owned(), $whole::schema()));
                    $whole::schemas(schemas);
                    schemas.push((stringify!($selected).to_owned(), $selected::schema()));
                    $selected::schemas(schemas);
                }
            }
        )+
    };
}

whole_or_selected! {
    /// 資格確認結果の1ページ。fields を送ったときは、選んだ項目だけです。
    ResultList = ResultPage | SelectedPage;
    /// 変わった結果。fields を送ったときは、選んだ項目だけです。
    ChangeList = ResultChanges | SelectedChanges;
    /// 資格確認結果。fields を送ったときは、選んだ項目だけです。
    OneResult = EligibilityResult | SelectedResult;
}
