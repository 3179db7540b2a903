//! A page of a list: some items, and where the next page begins.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::ask::Ask;
use super::endpoint::Schemas;

/// Some items of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    /// The items, in the list's own order.
    pub items: Vec<T>,
    /// What `after` of the next request must be; null when there are no more.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts the page that is asked for out of a list that is in order of `key`. For lists that operators fill, which are small.
    pub fn of(ask: &Ask, all: impl IntoIterator<Item = T>, key: impl Fn(&T) -> String) -> Self {
        let after = ask.text("after");
        let mut rest =
            all.into_iter().skip_while(|item| after.is_some_and(|after| key(item).as_str() <= after));
        let items: Vec<T> = rest.by_ref().take(ask.limit()).collect();
        let next = rest.next().and_then(|_| items.last().map(&key));
        Self { items, next }
    }
}

// By hand, because what is derived for a type with a parameter names the parameter's schema and leaves it out.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name())).build();
        let next = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("What `after` of the next request must be; null when there are no more."));
        ObjectBuilder::new()
            .description(Some("Some items of a list."))
            .property("items", items)
            .required("items")
            .property("next", next.build())
            .required("next")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Schemas) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}
