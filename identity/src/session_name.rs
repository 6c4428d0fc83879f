//! Role session names: what CloudTrail shows after the role.

use std::{fmt, str::FromStr};

use crate::ServiceAccountRef;

const MAX_LENGTH: usize = 64;

/// A role session name: 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -` (source: STS's RoleSessionName).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionName(String);

/// Why a text is no session name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session name is 2 to 64 of A-Z a-z 0-9 _ + = , . @ -")]
pub struct SessionNameError(());

/// A session name with places: `{pod.namespace}`, `{serviceaccount.name}`, `{pod.name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionNameTemplate(String);

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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let (place, behind) = after.split_once('}').ok_or("a `{` has no `}`")?;
            if !["pod.name", "pod.namespace", "serviceaccount.name"].contains(&place) {
                return Err(format!(
                    "{{{place}}} is no place: {{pod.name}}, {{pod.namespace}} and \
                     {{serviceaccount.name}} are"
                ));
            }
            rest = behind;
        }
        if text.trim().is_empty() {
            return Err("a session name cannot be empty".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl SessionNameTemplate {
    /// Whether two pods of one ServiceAccount get different names.
    #[must_use]
    pub fn mentions_the_pod(&self) -> bool {
        self.0.contains("{pod.name}")
    }

    /// The name for a pod: what STS does not allow becomes `-`, and 64 characters are kept.
    #[must_use]
    pub fn expand(&self, account: &ServiceAccountRef, pod: &str) -> SessionName {
        let text = self
            .0
            .replace("{pod.name}", pod)
            .replace("{pod.namespace}", account.namespace())
            .replace("{serviceaccount.name}", account.name());
        let legal = text.chars().map(|c| if is_legal(c) { c } else { '-' });
        let mut name: String = legal.take(MAX_LENGTH).collect();
        while name.len() < 2 {
            name.push('-');
        }
        SessionName(name)
    }

    /// The name with `reference` where the pod's name belongs, which is filled in later and has
    /// `longest` characters at most. `None` where the whole could then be too long for STS.
    #[must_use]
    pub fn expand_around(
        &self,
        account: &ServiceAccountRef,
        reference: &str,
        longest: usize,
    ) -> Option<String> {
        let text = self
            .0
            .replace("{pod.namespace}", account.namespace())
            .replace("{serviceaccount.name}", account.name());
        let legal = |piece: &str| -> String {
            piece.chars().map(|c| if is_legal(c) { c } else { '-' }).collect()
        };
        let pieces: Vec<String> = text.split("{pod.name}").map(legal).collect();
        let fixed: usize = pieces.iter().map(String::len).sum();
        let fits = fixed + longest * (pieces.len() - 1) <= MAX_LENGTH;
        fits.then(|| pieces.join(reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str) -> String {
        let account = ServiceAccountRef::new("shop", "app").unwrap();
        let template: SessionNameTemplate = template.parse().unwrap();
        template.expand(&account, "app-7c9").to_string()
    }

    #[test]
    fn places_are_filled() {
        let account = ServiceAccountRef::new("shop", "app").unwrap();
        let default = SessionNameTemplate::default();
        assert_eq!(default.expand(&account, "x").as_str(), "shop.app");
        assert!(!default.mentions_the_pod());
        assert_eq!(expand("{pod.name}@{pod.namespace}"), "app-7c9@shop");
    }

    #[test]
    fn a_name_is_always_one_that_sts_takes() {
        assert_eq!(expand("a b/c"), "a-b-c");
        assert_eq!(expand("x"), "x-");
        assert_eq!(expand(&"long".repeat(40)).len(), 64);
        for text in ["{pod.name}", "a b/c", "x", "é"] {
            assert!(expand(text).parse::<SessionName>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_pods_name_that_comes_later_must_fit() {
        let account = ServiceAccountRef::new("shop", "app").unwrap();
        let around = |template: &str, longest| {
            let template: SessionNameTemplate = template.parse().unwrap();
            template.expand_around(&account, "$(NAME)", longest)
        };
        assert_eq!(around("{pod.namespace}/{pod.name}", 59).as_deref(), Some("shop-$(NAME)"));
        assert_eq!(around("{pod.namespace}/{pod.name}", 60), None);
        assert_eq!(around("{pod.name}{pod.name}", 33), None);
    }

    #[test]
    fn unknown_places_are_refused() {
        for text in ["", " ", "{pod}", "{pod.uid}", "{pod.name"] {
            assert!(text.parse::<SessionNameTemplate>().is_err(), "{text}");
        }
        for text in ["", "a", "a b", &"a".repeat(65)] {
            assert!(text.parse::<SessionName>().is_err(), "{text}");
        }
    }
}
