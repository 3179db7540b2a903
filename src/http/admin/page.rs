//! A page of a list: some items, and where the next page begins.

use serde::Serialize;
use utoipa::ToSchema;

use super::ask::Ask;

/// Some items of a list.
#[derive(Debug, Serialize, ToSchema)]
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
