//! Tags as in IAM and STS: keys are compared case-insensitively and keep their spelling.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

const MOST: usize = 50;
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 1..=128;
const VALUE_LENGTH: usize = 256;

/// Up to 50 tags. Errors do not contain their text, because it can contain a pod's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, (String, String)>);

/// Why a tag is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// The key's length or characters.
    #[error("a tag key must be 1 to 128 letters, digits, spaces and _ . : / = + - @")]
    Key,
    /// The value's length or characters.
    #[error("a tag value must be at most 256 letters, digits, spaces and _ . : / = + - @")]
    Value,
    /// The prefix is reserved by AWS.
    #[error("a tag key must not begin with aws:")]
    Reserved,
    /// The key is already there, possibly in another case.
    #[error("a tag key occurs twice; keys are compared case-insensitively")]
    Twice,
    /// More than 50.
    #[error("there are more than 50 tags")]
    TooMany,
}

impl Tags {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(&key.to_lowercase()).map(|(_, value)| value.as_str())
    }

    /// Adds a tag, or replaces the one with the same key.
    ///
    /// # Errors
    /// If the tag is not valid, or there are 50 already.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), TagError> {
        check_key(key)?;
        if value.chars().count() > VALUE_LENGTH || !value.chars().all(is_legal) {
            return Err(TagError::Value);
        }
        let folded = key.to_lowercase();
        if self.0.len() == MOST && !self.0.contains_key(&folded) {
            return Err(TagError::TooMany);
        }
        self.0.insert(folded, (key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Adds a tag with a new key.
    ///
    /// # Errors
    /// If the key exists, the tag is not valid, or there are 50 already.
    pub fn add(&mut self, key: &str, value: &str) -> Result<(), TagError> {
        if self.get(key).is_some() {
            return Err(TagError::Twice);
        }
        self.set(key, value)
    }

    /// Adds the tags of `other`, which win. The result may have more than 50: those of a role and of a
    /// session.
    pub(crate) fn override_with(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(folded, tag)| (folded.clone(), tag.clone())));
    }

    /// Removes a tag. Returns whether it existed.
    pub fn remove(&mut self, key: &str) -> bool {
        self.0.remove(&key.to_lowercase()).is_some()
    }

    /// Keys and values in the order of the lower-case keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The number of tags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Checks a tag key's length, characters and prefix.
pub(super) fn check_key(key: &str) -> Result<(), TagError> {
    if !KEY_LENGTH.contains(&key.chars().count()) || !key.chars().all(is_legal) {
        return Err(TagError::Key);
    }
    if key.to_lowercase().starts_with("aws:") {
        return Err(TagError::Reserved);
    }
    Ok(())
}

/// IAM's `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
fn is_legal(c: char) -> bool {
    let blank = c.is_whitespace() && !c.is_control();
    c.is_alphabetic() || c.is_numeric() || blank || "_.:/=+-@".contains(c)
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TagsVisitor)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = Tags;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
        let mut tags = Tags::default();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            tags.add(&key, &value).map_err(A::Error::custom)?;
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_must_be_within_iams_limits() {
        let long = |length| "a".repeat(length);
        for (key, value, error) in [
            ("team", "shop", None),
            ("a b/c:d=e+f-g@h.i_j", "", None),
            ("größe", "é", None),
            (&long(128), &long(256), None),
            ("", "x", Some(TagError::Key)),
            (&long(129), "x", Some(TagError::Key)),
            ("a*", "x", Some(TagError::Key)),
            ("a\n", "x", Some(TagError::Key)),
            ("a", &long(257), Some(TagError::Value)),
            ("a", "x;", Some(TagError::Value)),
            ("aws:team", "x", Some(TagError::Reserved)),
            ("AWS:team", "x", Some(TagError::Reserved)),
        ] {
            assert_eq!(Tags::default().set(key, value).err(), error, "{key} {value}");
        }
    }

    #[test]
    fn keys_compare_without_case() {
        let mut tags = Tags::default();
        tags.add("Team", "shop").unwrap();
        assert_eq!(tags.get("tEAM"), Some("shop"));
        assert_eq!(tags.add("team", "x"), Err(TagError::Twice));
        tags.set("team", "x").unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("team", "x")]);
        assert!(tags.remove("TEAM") && tags.is_empty());
    }

    #[test]
    fn there_are_at_most_fifty_tags() {
        let mut tags = Tags::default();
        for number in 0..50 {
            tags.add(&number.to_string(), "x").unwrap();
        }
        assert_eq!(tags.add("more", "x"), Err(TagError::TooMany));
        assert_eq!((tags.set("49", "y"), tags.len()), (Ok(()), 50));
    }
}
