//! Tags, as IAM and STS take them: keys compare without case and keep their spelling.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

const MOST: usize = 50;
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 1..=128;
const VALUE_LENGTH: usize = 256;

/// Up to 50 tags. Their text is never in an error: a pod's name may be in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, (String, String)>);

/// Why something is no tag, or one tag too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// The key's length or letters.
    #[error("a tag's key is 1 to 128 of letters, digits, blanks and _ . : / = + - @")]
    Key,
    /// The value's length or letters.
    #[error("a tag's value is up to 256 of letters, digits, blanks and _ . : / = + - @")]
    Value,
    /// The prefix that AWS keeps for itself.
    #[error("a tag's key does not begin with aws:")]
    Reserved,
    /// The same key, in whatever spelling.
    #[error("a tag's key is there twice; case does not tell keys apart")]
    Twice,
    /// More than 50.
    #[error("there are more than 50 tags")]
    TooMany,
}

impl Tags {
    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(&key.to_lowercase()).map(|(_, value)| value.as_str())
    }

    /// Adds a tag; one of the same key is replaced.
    ///
    /// # Errors
    /// When it is no tag, or one too many.
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

    /// Adds a tag whose key is not there yet.
    ///
    /// # Errors
    /// When it is, or it is no tag, or one too many.
    pub fn add(&mut self, key: &str, value: &str) -> Result<(), TagError> {
        if self.get(key).is_some() {
            return Err(TagError::Twice);
        }
        self.set(key, value)
    }

    /// Takes over the tags of another, which win. There may be more than 50 then: a role's and a
    /// session's.
    pub(crate) fn override_with(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(folded, tag)| (folded.clone(), tag.clone())));
    }

    /// Takes a tag away; whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.0.remove(&key.to_lowercase()).is_some()
    }

    /// All of them, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The key is one that a tag may have.
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
        f.write_str("an object with a text for each key")
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
    fn a_tag_keeps_iams_limits() {
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
    fn there_are_fifty_at_most() {
        let mut tags = Tags::default();
        for number in 0..50 {
            tags.add(&number.to_string(), "x").unwrap();
        }
        assert_eq!(tags.add("more", "x"), Err(TagError::TooMany));
        assert_eq!((tags.set("49", "y"), tags.len()), (Ok(()), 50));
    }
}
