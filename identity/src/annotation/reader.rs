//! Reads one annotation after the other.

use std::fmt;

use super::{AnnotationPrefix, Annotations, Problem};
use crate::{
    ContainerList, RoleArn, TokenExpiration, blank,
    expiration::TOKEN_EXPIRATION,
    misspelled::{MOST_KEYS, is_near, is_suspect},
};

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

    /// The same for values that `read` clamps. The second value of its result says what is used instead.
    pub(super) fn read_clamped<T, E: fmt::Display>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<(T, Option<String>), E>,
    ) -> Option<T> {
        let (parsed, clamped) = self.read(key, read)?;
        if let (Some(clamped), Some(value)) = (clamped, self.annotations.get(key)) {
            self.problems.push(Problem::new(key, value, clamped));
        }
        Some(parsed)
    }

    pub(super) fn token_expiration(&mut self) -> Option<TokenExpiration> {
        self.read_clamped(&self.prefix.key(TOKEN_EXPIRATION), TokenExpiration::read)
    }

    /// The role that `key` names; `None` if its value is empty. Blanks around the ARN are ignored and
    /// reported: `|` in YAML leaves a line break, and copied text has spaces. STS would reject them.
    pub(super) fn role(&mut self, key: &str) -> Option<Result<RoleArn, Problem>> {
        let value = self.annotations.get(key).filter(|value| !value.is_empty());
        let Some(value) = value else {
            self.misspelled_role(key);
            return None;
        };
        let trimmed = blank::trim(value);
        let role = trimmed.parse().map_err(|error| Problem::new(key, value, error));
        if role.is_ok() && trimmed.len() < value.len() {
            let blank = blank::first(value).map(|it| it.to_string()).unwrap_or_default();
            let error = format!("{blank} around it is ignored; remove it");
            self.problems.push(Problem::new(key, trimmed, error));
        }
        Some(role)
    }

    /// A ServiceAccount without a role and with a key that is almost the role's: its pods would start
    /// without a word.
    fn misspelled_role(&mut self, key: &str) {
        let suspects =
            self.annotations.iter().filter(|(near, _)| is_suspect(near, self.prefix.as_str()));
        let near = suspects.take(MOST_KEYS).find(|(near, _)| is_near(near, key));
        if let Some((near, value)) = near {
            self.problems.push(Problem::new(near, value, format!("it has no effect; use {key}")));
        }
    }

    pub(super) fn containers(&self, key: &str) -> ContainerList {
        self.annotations.get(key).map(|value| ContainerList::read(value)).unwrap_or_default()
    }
}

/// The values that mean true, as in Go's `strconv.ParseBool`.
pub const TRUE_VALUES: [&str; 6] = ["1", "t", "T", "TRUE", "true", "True"];

/// Reads the boolean values of Go's `strconv.ParseBool`, which EKS's webhook uses.
pub(crate) fn read_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        text if TRUE_VALUES.contains(&text) => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("it is not true or false"),
    }
}
