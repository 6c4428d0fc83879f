//! Pagination of lists with `MaxItems` and `Marker`.

use serde::Serialize;

use super::{
    error::IamError,
    input::{Input, invalid},
};

const DEFAULT: usize = 100;
const MOST: usize = 1000;

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) end: PageEnd,
}

/// Whether there are more pages, and where the next one starts.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PageEnd {
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// The requested page of items that are sorted by name. The marker is the name of the last item of the
/// previous page.
pub(super) fn page<T>(
    input: &Input<'_>,
    items: impl Iterator<Item = T>,
    name: impl Fn(&T) -> &str,
) -> Result<Page<T>, IamError> {
    let most = match input.get("MaxItems") {
        None => DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|most| (1..=MOST).contains(most))
            .ok_or_else(|| invalid("MaxItems", "Member must have value between 1 and 1000"))?,
    };
    let after = input.get("Marker").unwrap_or_default();
    let mut items: Vec<T> = items.filter(|item| name(item) > after).take(most + 1).collect();
    let is_truncated = items.len() > most;
    items.truncate(most);
    let marker = items.last().filter(|_| is_truncated).map(|last| name(last).to_owned());
    Ok(Page { items, end: PageEnd { is_truncated, marker } })
}
