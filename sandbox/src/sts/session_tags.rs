//! Session tags, and how chained sessions inherit them.

use std::collections::BTreeSet;

use crate::{
    accounts::{TagError, Tags},
    policy::Context,
    sessions::SessionAttributes,
};

/// The session tags of a call, with those that chained sessions inherit.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionTags {
    tags: Tags,
    /// Lower-case keys.
    transitive: BTreeSet<String>,
}

/// Why session tags are rejected. Their text is not repeated, because it can contain a pod's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SessionTagError {
    #[error("1 validation error detected: Value at 'tags' failed to satisfy constraint: {0}")]
    Tag(TagError),
    #[error("Duplicate tag keys found. Please note that Tag keys are case insensitive.")]
    Twice,
    #[error("The specified transitive tag key must be included in the requested tags.")]
    NotThere,
    #[error(
        "One of the specified tag keys can't be set because it conflicts with a transitive tag key from the calling session."
    )]
    Inherited,
}

impl SessionTagError {
    /// AWS's code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Tag(_) => "ValidationError",
            Self::Twice | Self::NotThere | Self::Inherited => "InvalidParameterValue",
        }
    }
}

impl From<TagError> for SessionTagError {
    fn from(error: TagError) -> Self {
        match error {
            TagError::Twice => Self::Twice,
            error => Self::Tag(error),
        }
    }
}

impl SessionTags {
    /// Checks tags and the keys of the transitive ones.
    pub(crate) fn read<'a>(
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
        transitive: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SessionTagError> {
        let mut read = Self::default();
        for (key, value) in tags {
            read.tags.add(key, value)?;
        }
        for key in transitive {
            if read.tags.get(key).is_none() {
                return Err(SessionTagError::NotThere);
            }
            read.transitive.insert(key.to_lowercase());
        }
        Ok(read)
    }

    /// Adds the transitive tags of the calling session.
    pub(crate) fn inherit(mut self, from: &SessionAttributes) -> Result<Self, SessionTagError> {
        let handed_down = |key: &str| from.transitive.contains(&key.to_lowercase());
        for (key, value) in from.tags.iter().filter(|(key, _)| handed_down(key)) {
            self.tags.add(key, value).map_err(|error| match error {
                TagError::Twice => SessionTagError::Inherited,
                error => SessionTagError::Tag(error),
            })?;
            self.transitive.insert(key.to_lowercase());
        }
        Ok(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// The number of characters in keys and values.
    pub(crate) fn characters(&self) -> usize {
        let tags = self.tags.iter();
        tags.map(|(key, value)| key.chars().count() + value.chars().count()).sum()
    }

    /// Sets the condition keys about the tags, inherited ones included.
    pub(crate) fn describe(&self, context: &mut Context) {
        let mut keys = Vec::new();
        let mut transitive = Vec::new();
        for (key, value) in self.tags.iter() {
            context.set(&format!("aws:RequestTag/{key}"), [value]);
            keys.push(key);
            if self.transitive.contains(&key.to_lowercase()) {
                transitive.push(key);
            }
        }
        context.set("aws:TagKeys", keys);
        context.set("sts:TransitiveTagKeys", transitive);
    }

    /// Gives the tags to the new session.
    pub(crate) fn carry(self, attributes: &mut SessionAttributes) {
        attributes.tags = self.tags;
        attributes.transitive = self.transitive;
    }
}
