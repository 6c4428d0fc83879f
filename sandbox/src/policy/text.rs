//! IAM's JSON lets a single thing stand where a list may stand.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

/// One text. Numbers and booleans are taken as IAM takes them: as their text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Boolean(bool),
    Number(i64),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "this must be a text or a list of texts")]
enum Texts {
    One(Text),
    Many(Vec<Text>),
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::Plain(text) => text,
            Text::Boolean(value) => value.to_string(),
            Text::Number(value) => value.to_string(),
        }
    }
}

/// A text or a list of texts.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text.into()],
        Texts::Many(texts) => texts.into_iter().map(Into::into).collect(),
    })
}

/// An object or a list of objects. A visitor, unlike an untagged enum, keeps the objects' own
/// errors.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
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
