//! IAM's JSON allows a single value in place of a list.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        Error as _, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

/// One value. IAM treats numbers and booleans as their text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Boolean(bool),
    Whole(i64),
    Number(f64),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum Texts {
    One(Text),
    Many(Vec<Text>),
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::Plain(text) => text,
            Text::Boolean(value) => value.to_string(),
            Text::Whole(value) => value.to_string(),
            Text::Number(value) => value.to_string(),
        }
    }
}

/// Parses a string or a list of strings.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text.into()],
        Texts::Many(texts) => texts.into_iter().map(Into::into).collect(),
    })
}

/// Parses an object or a list of objects. Unlike an untagged enum, a visitor keeps the errors of the
/// objects.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        Ok(vec![T::deserialize(MapAccessDeserializer::new(map))?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list))
    }
}

/// Parses an optional string or list of strings, for a field with `default`.
pub(super) fn some_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    texts(deserializer).map(Some)
}

/// Parses a map and rejects duplicate keys.
pub(super) fn unique<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    deserializer.deserialize_map(UniqueKeysVisitor(PhantomData))
}

struct UniqueKeysVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for UniqueKeysVisitor<K, V>
where
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BTreeMap<K, V>, A::Error> {
        let mut read = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            if read.contains_key(&key) {
                return Err(A::Error::custom(format!("`{key}` occurs twice")));
            }
            read.insert(key, value);
        }
        Ok(read)
    }
}
