//! Session tags on their way from one session to the next.

use std::collections::BTreeSet;

use crate::{
    accounts::{TagError, Tags},
    policy::Context,
    sessions::SessionAttributes,
};

/// The tags that a call asks for, and which of them further sessions shall inherit.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionTags {
    tags: Tags,
    /// In small letters.
    transitive: BTreeSet<String>,
}

/// Why tags cannot be taken along. Their text is not repeated: a pod's name may be in it.
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
    /// Reads tags and the keys of those that shall be transitive.
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

    /// With those that the calling session hands down.
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

    /// How many characters they have.
    pub(crate) fn characters(&self) -> usize {
        let tags = self.tags.iter();
        tags.map(|(key, value)| key.chars().count() + value.chars().count()).sum()
    }

    /// Says to policies what is asked for. Inherited tags count.
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

    /// What the new session has of them.
    pub(crate) fn carry(self, attributes: &mut SessionAttributes) {
        attributes.tags = self.tags;
        attributes.transitive = self.transitive;
    }
}
