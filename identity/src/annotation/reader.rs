//! Reads annotations one by one.

use std::fmt;

use super::{AnnotationPrefix, Annotations, Problem};
use crate::{ContainerList, TokenExpiration};

/// Reads annotations one by one and gathers what could not be used.
pub(crate) struct Reader<'a> {
    annotations: &'a Annotations,
    prefix: &'a AnnotationPrefix,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(annotations: &'a Annotations, prefix: &'a AnnotationPrefix) -> Self {
        Self { annotations, prefix, problems: Vec::new() }
    }

    /// The keys that begin with `beginning`.
    pub(crate) fn keys_below(&self, beginning: &str) -> Vec<String> {
        let keys = self.annotations.keys();
        keys.filter(|key| key.starts_with(beginning)).cloned().collect()
    }

    /// The value under `key`, read; a bad one is a problem and otherwise as if absent.
    pub(crate) fn read<T, E: fmt::Display>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.annotations.get(key)?;
        read(value).map_err(|error| self.problems.push(Problem::new(key, value, error))).ok()
    }

    pub(super) fn token_expiration(&mut self) -> Option<TokenExpiration> {
        let key = self.prefix.key("token-expiration");
        let (life, moved) = self.read(&key, TokenExpiration::read)?;
        if let (Some(moved), Some(value)) = (moved, self.annotations.get(&key)) {
            self.problems.push(Problem::new(&key, value, moved));
        }
        Some(life)
    }

    pub(super) fn containers(&self, key: &str) -> ContainerList {
        self.annotations.get(key).map(|value| ContainerList::read(value)).unwrap_or_default()
    }
}

/// The words that Go's strconv takes for a boolean, as EKS's webhook does.
pub(crate) fn read_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("it is neither true nor false"),
    }
}
