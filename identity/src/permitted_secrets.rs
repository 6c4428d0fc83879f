//! A namespace's guard-rail: the Secrets that annotations may add to its pods.

use crate::{glob::matches, patterns::read_patterns};

/// The Namespace annotation that holds the guard-rail: patterns of names, separated by commas or
/// whitespace.
pub const PERMITTED_SECRETS_ANNOTATION: &str = "podrole.io/permitted-secrets";

/// The Secrets that a namespace permits.
///
/// `*` matches any characters, and `?` matches one. Without the annotation every Secret is permitted;
/// an empty one permits none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PermittedSecrets {
    /// The namespace has no guard-rail.
    #[default]
    Any,
    /// Secrets whose names one of these patterns matches.
    Only(Vec<SecretPattern>),
    /// The guard-rail cannot be parsed, and therefore permits no Secret.
    Malformed(PermittedSecretsError),
}

/// A Secret's name in which `*` and `?` are wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPattern(String);

/// Why a guard-rail cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{PERMITTED_SECRETS_ANNOTATION}, pattern {index}: use only a-z 0-9 - . * ?")]
pub struct PermittedSecretsError {
    /// The pattern's number, from 1.
    index: usize,
}

impl PermittedSecrets {
    /// Parses the annotation's value; `None` if the namespace does not have the annotation.
    #[must_use]
    pub fn read(annotation: Option<&str>) -> Self {
        let Some(text) = annotation else {
            return Self::Any;
        };
        match read_patterns(text, |pattern| SecretPattern::read(pattern).ok_or(())) {
            Ok(patterns) => Self::Only(patterns),
            Err((index, ())) => Self::Malformed(PermittedSecretsError { index }),
        }
    }

    /// Whether annotations may add a Secret to the namespace's pods.
    #[must_use]
    pub fn permits(&self, secret_name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.matches(secret_name)),
            Self::Malformed(_) => false,
        }
    }
}

impl SecretPattern {
    /// A pattern with a character that no Secret's name has could never match, and its author would
    /// not notice.
    fn read(text: &str) -> Option<Self> {
        let legal = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.*?".contains(&byte)
        };
        text.bytes().all(legal).then(|| Self(text.to_owned()))
    }

    fn matches(&self, name: &str) -> bool {
        matches(self.0.as_bytes(), name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (guard_rail, name, is_permitted) in [
            (None, "db", true),
            (Some(""), "db", false),
            (Some(" ,\n"), "db", false),
            (Some("db"), "db", true),
            (Some("db"), "db-2", false),
            (Some("app-*, db"), "app-", true),
            (Some("app-*\n*.tls"), "team.tls", true),
            (Some("app-?"), "app-12", false),
            (Some("*"), "any.thing-1", true),
        ] {
            let permitted = PermittedSecrets::read(guard_rail);
            assert_eq!(permitted.permits(name), is_permitted, "{guard_rail:?} {name}");
        }
    }

    #[test]
    fn a_malformed_guard_rail_permits_nothing() {
        for pattern in ["DB", "db/x", "[a-z]*", "!db", "db;mq"] {
            let read = PermittedSecrets::read(Some(&format!("*, {pattern}")));
            assert!(!read.permits("db"), "{pattern}");
            assert_eq!(read, PermittedSecrets::Malformed(PermittedSecretsError { index: 2 }));
        }
    }
}
