//! Tags in the query protocol: `Tags.member.1.Key`, `Tags.member.1.Value`.

use serde::Serialize;

use super::{
    error::IamError,
    input::{Input, invalid},
    xml::Members,
};
use crate::accounts::{TagError, Tags};

/// A tag in a response.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagXml<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// All tags, for a response.
pub(super) fn xml(tags: &Tags) -> Members<TagXml<'_>> {
    Members::of(tags.iter().map(|(key, value)| TagXml { key, value }))
}

/// The tags in a call. Duplicate keys are an error.
pub(super) fn read(input: &Input<'_>) -> Result<Tags, IamError> {
    let mut tags = Tags::default();
    for number in 1.. {
        let part = |part: &str| input.get(&format!("Tags.member.{number}.{part}"));
        match (part("Key"), part("Value")) {
            (Some(key), Some(value)) => tags.add(key, value).map_err(tag_error)?,
            (None, None) => break,
            _ => return Err(invalid("Tags", "Member must have Key and Value")),
        }
    }
    Ok(tags)
}

/// Adds new tags, which replace those with the same keys.
pub(super) fn merge(tags: &mut Tags, new: &Tags) -> Result<(), IamError> {
    let mut merged = tags.clone();
    for (key, value) in new.iter() {
        merged.set(key, value).map_err(tag_error)?;
    }
    *tags = merged;
    Ok(())
}

/// Removes tags. Keys that do not exist are ignored, as in IAM.
pub(super) fn remove(tags: &mut Tags, input: &Input<'_>) {
    for key in input.list("TagKeys") {
        tags.remove(key);
    }
}

fn tag_error(error: TagError) -> IamError {
    match error {
        TagError::TooMany => IamError::Limit { quota: "TagsPerResource", most: 50 },
        TagError::Twice => IamError::Input(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned(),
        ),
        other => invalid("Tags", &other.to_string()),
    }
}
