//! A namespace's guard-rail: the roles that its pods may get, whatever their ServiceAccounts say.

use crate::{ArnError, RoleArn, glob::matches, patterns::read_patterns};

/// The Namespace annotation that holds the guard-rail: ARN patterns, separated by
/// commas or whitespace.
pub const PERMITTED_ROLES_ANNOTATION: &str = "podrole.io/permitted-roles";

/// What a namespace permits.
///
/// `*` matches any characters except `:`, and `?` matches one, so that a pattern for one AWS account
/// never matches another's roles. Without the annotation every role is permitted; an empty one
/// permits none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PermittedRoles {
    /// The namespace has no guard-rail.
    #[default]
    Any,
    /// Roles that one of these patterns matches.
    Only(Vec<RolePattern>),
    /// The guard-rail cannot be parsed, and therefore permits no role.
    Malformed(PermittedRolesError),
}

/// An ARN in which `*` and `?` are wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePattern(String);

/// Why a guard-rail cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{PERMITTED_ROLES_ANNOTATION}, pattern {index}: {error}")]
pub struct PermittedRolesError {
    /// The pattern's number, from 1.
    index: usize,
    error: ArnError,
}

impl PermittedRoles {
    /// Parses the annotation's value; `None` if the namespace does not have the annotation.
    #[must_use]
    pub fn read(annotation: Option<&str>) -> Self {
        let Some(text) = annotation else {
            return Self::Any;
        };
        match read_patterns(text, RolePattern::read) {
            Ok(patterns) => Self::Only(patterns),
            Err((index, error)) => Self::Malformed(PermittedRolesError { index, error }),
        }
    }

    /// Whether the namespace's pods may get a role.
    #[must_use]
    pub fn permits(&self, role: &RoleArn) -> bool {
        match self {
            Self::Any => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.matches(role.as_str())),
            Self::Malformed(_) => false,
        }
    }
}

impl RolePattern {
    /// A pattern must have the six parts of a role's ARN. Because `*` does not match `:`, one with
    /// fewer could never match, and its author would not notice.
    pub(crate) fn read(text: &str) -> Result<Self, ArnError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", _, service, region, _, resource] = parts.as_slice() else {
            return Err(ArnError::NotAnArn);
        };
        if service != "iam" {
            return Err(ArnError::Service);
        }
        if !region.is_empty() {
            return Err(ArnError::Region);
        }
        if !resource.starts_with("role/") || resource.contains(':') {
            return Err(ArnError::NotARole);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(self.0.as_bytes(), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(guard_rail: &str, role: &str) -> bool {
        PermittedRoles::read(Some(guard_rail)).permits(&role.parse().unwrap())
    }

    const APP: &str = "arn:aws:iam::111122223333:role/team/app-1";

    #[test]
    fn without_a_guard_rail_all_is_permitted_and_an_empty_one_permits_none() {
        let app = APP.parse().unwrap();
        assert!(PermittedRoles::read(None).permits(&app));
        assert!(!permits("", APP) && !permits(" ,\n", APP));
    }

    #[test]
    fn a_pattern_matches_the_whole_arn() {
        for (pattern, is_permitted) in [
            (APP, true),
            ("arn:aws:iam::111122223333:role/team/*", true),
            ("arn:aws:iam::111122223333:role/*", true),
            ("arn:*:iam::*:role/*", true),
            ("arn:aws:iam::1111*3333:role/*/app-?", true),
            ("arn:aws:iam::111122223333:role/*a*p*1*", true),
            ("arn:aws:iam::111122223333:role/team/app", false),
            ("arn:aws:iam::111122223333:role/team/app-?1", false),
            ("arn:aws:iam::444455556666:role/*", false),
            ("arn:aws-cn:iam::*:role/*", false),
            ("arn:aws:iam::111122223333:role/", false),
        ] {
            assert_eq!(permits(pattern, APP), is_permitted, "{pattern}");
        }
        let two = format!("arn:aws:iam::444455556666:role/x,\n  {APP}");
        assert!(permits(&two, APP));
        assert!(permits("arn:aws:iam::444455556666:role/x arn:*:iam::*:role/team/*", APP));
    }

    #[test]
    fn a_malformed_guard_rail_permits_nothing_and_is_reported() {
        for (pattern, error) in [
            ("*", ArnError::NotAnArn),
            ("app", ArnError::NotAnArn),
            ("arn:aws:iam::*", ArnError::NotAnArn),
            ("arn:aws:sts::111122223333:role/a", ArnError::Service),
            ("arn:aws:iam:*:111122223333:role/a", ArnError::Region),
            ("arn:aws:iam::111122223333:*", ArnError::NotARole),
            ("arn:aws:iam::111122223333:role/a:b", ArnError::NotARole),
        ] {
            let text = format!("{APP}, {pattern}");
            let read = PermittedRoles::read(Some(&text));
            assert!(!read.permits(&APP.parse().unwrap()), "{pattern}");
            assert_eq!(read, PermittedRoles::Malformed(PermittedRolesError { index: 2, error }));
        }
    }
}
