//! Reads one annotation after the other.

use std::fmt;

use super::{AnnotationPrefix, Annotations, Problem};
use crate::{ContainerList, TokenExpiration};

/// Reads one annotation after the other and collects the values that cannot be used.
pub(crate) struct AnnotationReader<'a> {
    annotations: &'a Annotations,
    prefix: &'a AnnotationPrefix,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> AnnotationReader<'a> {
    pub(crate) fn new(annotations: &'a Annotations, prefix: &'a AnnotationPrefix) -> Self {
        Self { annotations, prefix, problems: Vec::new() }
    }

    /// The keys that start with `prefix`.
    pub(crate) fn keys_with_prefix(&self, prefix: &str) -> Vec<String> {
        let keys = self.annotations.keys();
        keys.filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// The parsed value of `key`. A value that cannot be parsed becomes a problem and counts as absent.
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
        let (expiration, clamped) = self.read(&key, TokenExpiration::read)?;
        if let (Some(clamped), Some(value)) = (clamped, self.annotations.get(&key)) {
            self.problems.push(Problem::new(&key, value, clamped));
        }
        Some(expiration)
    }

    pub(super) fn containers(&self, key: &str) -> ContainerList {
        self.annotations.get(key).map(|value| ContainerList::read(value)).unwrap_or_default()
    }
}

/// Reads the boolean values of Go's `strconv.ParseBool`, which EKS's webhook uses.
pub(crate) fn read_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("it is not true or false"),
    }
}
