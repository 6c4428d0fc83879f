//! Role session names, which CloudTrail shows with the role.

use std::{fmt, str::FromStr};

use crate::ServiceAccountRef;

const MAX_LENGTH: usize = 64;

/// A role session name: 2 to 64 characters of `A-Z a-z 0-9 _ + = , . @ -`, as STS's RoleSessionName.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionName(String);

/// A text is not a session name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session name is 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -")]
pub struct SessionNameError(());

/// A session name with placeholders: `{pod.namespace}`, `{serviceaccount.name}`, `{pod.name}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionNameTemplate(String);

/// Why a text is not a template of session names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionNameTemplateError {
    /// It is empty or only whitespace.
    #[error("a session name cannot be empty")]
    Empty,
    /// A placeholder is not closed.
    #[error("a `{{` has no `}}`")]
    Unclosed,
    /// A placeholder is not known.
    #[error(
        "{{{0}}} is not a placeholder; use {{pod.name}}, {{pod.namespace}} or \
         {{serviceaccount.name}}"
    )]
    Placeholder(String),
    /// It has characters that STS does not allow, or too few or too many.
    #[error("a session name is 2 to 256 characters of A-Z a-z 0-9 _ + = , . @ - and placeholders")]
    Characters,
}

impl SessionName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

impl FromStr for SessionName {
    type Err = SessionNameError;

    fn from_str(text: &str) -> Result<Self, SessionNameError> {
        let legal = (2..=MAX_LENGTH).contains(&text.len()) && text.chars().all(is_legal);
        legal.then(|| Self(text.to_owned())).ok_or(SessionNameError(()))
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for SessionNameTemplate {
    /// `{pod.namespace}.{serviceaccount.name}`: the same for all pods of a ServiceAccount, so that
    /// they can share a session, and stable across refreshes.
    fn default() -> Self {
        Self("{pod.namespace}.{serviceaccount.name}".to_owned())
    }
}

impl FromStr for SessionNameTemplate {
    type Err = SessionNameTemplateError;

    fn from_str(text: &str) -> Result<Self, SessionNameTemplateError> {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let (placeholder, behind) =
                after.split_once('}').ok_or(SessionNameTemplateError::Unclosed)?;
            if !["pod.name", "pod.namespace", "serviceaccount.name"].contains(&placeholder) {
                return Err(SessionNameTemplateError::Placeholder(placeholder.to_owned()));
            }
            rest = behind;
        }
        if text.trim().is_empty() {
            return Err(SessionNameTemplateError::Empty);
        }
        Ok(Self(text.to_owned()))
    }
}

impl SessionNameTemplate {
    /// The text with its placeholders.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a template of an association, in which characters that STS does not allow are an error:
    /// its author chose the name for CloudTrail, and would not find a changed one there.
    ///
    /// # Errors
    /// Also if it is no template.
    pub fn read_legal(text: &str) -> Result<Self, SessionNameTemplateError> {
        let template: Self = text.parse()?;
        let is_legal = |c: char| is_legal(c) || "{}".contains(c);
        let legal = (2..=256).contains(&text.len()) && text.chars().all(is_legal);
        legal.then_some(template).ok_or(SessionNameTemplateError::Characters)
    }

    /// Whether two pods of one ServiceAccount get different names.
    #[must_use]
    pub fn mentions_the_pod(&self) -> bool {
        self.0.contains("{pod.name}")
    }

    /// The name for a pod. Characters that STS does not allow become `-`, and the rest after 64
    /// characters is cut off.
    #[must_use]
    pub fn expand(&self, service_account: &ServiceAccountRef, pod: &str) -> SessionName {
        let text = self
            .0
            .replace("{pod.name}", pod)
            .replace("{pod.namespace}", service_account.namespace())
            .replace("{serviceaccount.name}", service_account.name());
        let legal = text.chars().map(|c| if is_legal(c) { c } else { '-' });
        let mut name: String = legal.take(MAX_LENGTH).collect();
        while name.len() < 2 {
            name.push('-');
        }
        SessionName(name)
    }

    /// The pieces of the name between which the pod's name comes, which Kubernetes fills in later and
    /// which has at most `longest` characters. `None` if the name could then be too long for STS.
    #[must_use]
    pub fn around_pod_name(
        &self,
        service_account: &ServiceAccountRef,
        longest: usize,
    ) -> Option<Vec<String>> {
        let text = self
            .0
            .replace("{pod.namespace}", service_account.namespace())
            .replace("{serviceaccount.name}", service_account.name());
        let legal = |piece: &str| -> String {
            piece.chars().map(|c| if is_legal(c) { c } else { '-' }).collect()
        };
        let pieces: Vec<String> = text.split("{pod.name}").map(legal).collect();
        let fixed: usize = pieces.iter().map(String::len).sum();
        let fits = fixed + longest * (pieces.len() - 1) <= MAX_LENGTH;
        fits.then_some(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str) -> String {
        let service_account = ServiceAccountRef::new("shop", "app").unwrap();
        let template: SessionNameTemplate = template.parse().unwrap();
        template.expand(&service_account, "app-7c9").to_string()
    }

    #[test]
    fn placeholders_are_replaced() {
        let service_account = ServiceAccountRef::new("shop", "app").unwrap();
        let default = SessionNameTemplate::default();
        assert_eq!(default.expand(&service_account, "x").as_str(), "shop.app");
        assert!(!default.mentions_the_pod());
        assert_eq!(expand("{pod.name}@{pod.namespace}"), "app-7c9@shop");
    }

    #[test]
    fn an_expanded_name_is_valid_for_sts() {
        assert_eq!(expand("a b/c"), "a-b-c");
        assert_eq!(expand("x"), "x-");
        assert_eq!(expand(&"long".repeat(40)).len(), 64);
        for text in ["{pod.name}", "a b/c", "x", "é"] {
            assert!(expand(text).parse::<SessionName>().is_ok(), "{text}");
        }
    }

    #[test]
    fn there_is_room_for_the_pods_name_only_if_every_name_fits() {
        let service_account = ServiceAccountRef::new("shop", "app").unwrap();
        let around = |template: &str, longest| {
            let template: SessionNameTemplate = template.parse().unwrap();
            template.around_pod_name(&service_account, longest).map(|pieces| pieces.join("|"))
        };
        assert_eq!(around("{pod.namespace}/{pod.name}", 59).as_deref(), Some("shop-|"));
        assert_eq!(around("{pod.namespace}/{pod.name}", 60), None);
        assert_eq!(around("{pod.name}{pod.name}", 33), None);
    }

    #[test]
    fn unknown_placeholders_are_rejected() {
        for text in ["", " ", "{pod}", "{pod.uid}", "{pod.name"] {
            assert!(text.parse::<SessionNameTemplate>().is_err(), "{text}");
        }
        for text in ["", "a", "a b", &"a".repeat(65)] {
            assert!(text.parse::<SessionName>().is_err(), "{text}");
        }
    }
}
