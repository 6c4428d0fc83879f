//! A ServiceAccount by namespace and name, and its `sub` in a token.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

const SUBJECT_PREFIX: &str = "system:serviceaccount:";

/// A ServiceAccount's namespace and name, both valid by Kubernetes' rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceAccountRef {
    namespace: String,
    name: String,
}

/// Why a text does not name a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceAccountError {
    /// The slash between namespace and name is missing.
    #[error("write it as namespace/name")]
    Form,
    /// The namespace is not a DNS label.
    #[error("a namespace is 1 to 63 of a-z 0-9 -")]
    Namespace,
    /// The name is not a DNS subdomain.
    #[error("a ServiceAccount's name is 1 to 253 of a-z 0-9 - .")]
    Name,
    /// The subject is not that of a ServiceAccount.
    #[error("the subject is not system:serviceaccount:<namespace>:<name>")]
    Subject,
}

impl ServiceAccountRef {
    /// A reference by namespace and name.
    ///
    /// # Errors
    /// If Kubernetes does not allow one of them.
    pub fn new(namespace: &str, name: &str) -> Result<Self, ServiceAccountError> {
        if !is_dns_label(namespace) {
            return Err(ServiceAccountError::Namespace);
        }
        if name.len() > 253 || !name.split('.').all(is_subdomain_part) {
            return Err(ServiceAccountError::Name);
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// Reads a token's `sub`: `system:serviceaccount:<namespace>:<name>`.
    ///
    /// # Errors
    /// If it is not the subject of a ServiceAccount.
    pub fn from_subject(subject: &str) -> Result<Self, ServiceAccountError> {
        let rest = subject.strip_prefix(SUBJECT_PREFIX).ok_or(ServiceAccountError::Subject)?;
        let (namespace, name) = rest.split_once(':').ok_or(ServiceAccountError::Subject)?;
        Self::new(namespace, name)
    }

    /// A token's `sub` for this ServiceAccount.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{SUBJECT_PREFIX}{}:{}", self.namespace, self.name)
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_subdomain_part(text)
}

fn is_subdomain_part(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

impl fmt::Display for ServiceAccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for ServiceAccountRef {
    type Err = ServiceAccountError;

    fn from_str(text: &str) -> Result<Self, ServiceAccountError> {
        let (namespace, name) = text.split_once('/').ok_or(ServiceAccountError::Form)?;
        Self::new(namespace, name)
    }
}

impl TryFrom<String> for ServiceAccountRef {
    type Error = ServiceAccountError;

    fn try_from(text: String) -> Result<Self, ServiceAccountError> {
        text.parse()
    }
}

impl From<ServiceAccountRef> for String {
    fn from(service_account: ServiceAccountRef) -> Self {
        service_account.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_parses_what_it_prints() {
        let service_account = ServiceAccountRef::new("shop", "app.v2").unwrap();
        assert_eq!(service_account.subject(), "system:serviceaccount:shop:app.v2");
        assert_eq!(
            ServiceAccountRef::from_subject(&service_account.subject()),
            Ok(service_account.clone())
        );
        assert_eq!("shop/app.v2".parse(), Ok(service_account));
    }

    #[test]
    fn names_that_kubernetes_rejects_are_rejected() {
        use ServiceAccountError::{Form, Name, Namespace, Subject};
        for (text, error) in [
            ("shop", Form),
            ("/app", Namespace),
            ("Shop/app", Namespace),
            ("a.b/app", Namespace),
            ("-a/app", Namespace),
            ("shop/", Name),
            ("shop/a/b", Name),
            ("shop/a..b", Name),
            ("shop/a:b", Name),
        ] {
            assert_eq!(text.parse::<ServiceAccountRef>(), Err(error), "{text}");
        }
        for (subject, error) in [
            ("", Subject),
            ("system:node:a", Subject),
            ("system:serviceaccount:shop", Subject),
            ("system:serviceaccount::app", Namespace),
            ("system:serviceaccount:shop:a:b", Name),
        ] {
            assert_eq!(ServiceAccountRef::from_subject(subject), Err(error), "{subject}");
        }
    }
}
