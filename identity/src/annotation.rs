//! Annotations on ServiceAccounts and pods: EKS's own, and ours beside them.

mod reader;

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    Audience, ContainerList, CredentialProvider, OptInAnnotations, RoleArn, Secrets,
    TokenExpiration,
};
pub(crate) use reader::{Reader, read_bool};

/// Says on a ServiceAccount which way its pods go: `web-identity` or `container`.
pub const CREDENTIALS_ANNOTATION: &str = "podrole.io/credentials";
/// Names the only containers that are given anything.
pub const INCLUDE_CONTAINERS_ANNOTATION: &str = "podrole.io/include-containers";
/// The label that EKS puts on pods of the container path; its value is `enabled`.
pub const EKS_POD_IDENTITY_LABEL: &str = "eks.amazonaws.com/pod-identity";

/// Kubernetes' own: pods of such a ServiceAccount may mount no Secrets but those that it lists.
pub const ENFORCE_MOUNTABLE_SECRETS_ANNOTATION: &str = "kubernetes.io/enforce-mountable-secrets";

/// Annotations as Kubernetes keeps them.
pub type Annotations = BTreeMap<String, String>;

/// What stands before the slash of EKS's annotations: `eks.amazonaws.com` unless a cluster says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationPrefix(String);

/// A value that could not be used as it stands, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The annotation's whole key.
    pub annotation: String,
    /// Its value, cut to what fits a line.
    pub value: String,
    /// What is wrong with it, or what is used instead.
    pub error: String,
}

/// What a ServiceAccount says of its pods' identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccountAnnotations {
    /// The role, where one is named and is one.
    pub role: Option<RoleArn>,
    /// Set when a role is named that is none: nothing may then be injected.
    pub bad_role: Option<Problem>,
    /// The token's audience, where the ServiceAccount has its own.
    pub audience: Option<Audience>,
    /// Whether SDKs shall ask the region's STS.
    pub sts_regional_endpoints: Option<bool>,
    /// The token's life.
    pub token_expiration: Option<TokenExpiration>,
    /// The way its pods go.
    pub credentials: Option<CredentialProvider>,
    /// Containers that are left alone.
    pub skip_containers: ContainerList,
    /// The only containers that are given anything, unless empty.
    pub include_containers: ContainerList,
    /// What is added to containers beside the identity.
    pub opt_in: OptInAnnotations,
    /// Secrets for the containers.
    pub secrets: Secrets,
    /// Whether the API server would refuse Secrets that the ServiceAccount does not list.
    pub enforces_mountable_secrets: bool,
    /// All that was said and could not be used, `bad_role` apart.
    pub problems: Vec<Problem>,
}

/// What a pod says for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodAnnotations {
    /// The token's life; it goes before the ServiceAccount's.
    pub token_expiration: Option<TokenExpiration>,
    /// Containers that are left alone.
    pub skip_containers: ContainerList,
    /// The only containers that are given anything, unless empty.
    pub include_containers: ContainerList,
    /// What is added to containers beside the identity; it goes before the ServiceAccount's.
    pub opt_in: OptInAnnotations,
    /// Secrets for the containers; for one alias they go before the ServiceAccount's.
    pub secrets: Secrets,
    /// All that was said and could not be used.
    pub problems: Vec<Problem>,
}

impl Default for AnnotationPrefix {
    fn default() -> Self {
        Self("eks.amazonaws.com".to_owned())
    }
}

impl FromStr for AnnotationPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if text.is_empty() || text.len() > 253 || !text.bytes().all(legal) {
            return Err("an annotation prefix is a DNS name, like eks.amazonaws.com".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl AnnotationPrefix {
    /// The whole key of an annotation: `eks.amazonaws.com/role-arn`.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

impl Problem {
    fn new(annotation: &str, value: &str, error: impl fmt::Display) -> Self {
        let mut shown: String = value.chars().filter(|c| !c.is_control()).take(40).collect();
        if shown.len() < value.len() {
            shown.push_str("..");
        }
        Self { annotation: annotation.to_owned(), value: shown, error: error.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\": {}", self.annotation, self.value, self.error)
    }
}

impl ServiceAccountAnnotations {
    /// Reads what `annotations` say. Never fails: what cannot be used is told in `problems`.
    #[must_use]
    pub fn read(annotations: &Annotations, prefix: &AnnotationPrefix) -> Self {
        let mut reader = Reader::new(annotations, prefix);
        let role_key = prefix.key("role-arn");
        let named = annotations.get(&role_key).filter(|value| !value.is_empty());
        let (role, bad_role) = match named.map(|value| value.parse::<RoleArn>()) {
            None => (None, None),
            Some(Ok(role)) => (Some(role), None),
            Some(Err(error)) => (None, named.map(|value| Problem::new(&role_key, value, error))),
        };
        Self {
            role,
            bad_role,
            audience: reader.read(&prefix.key("audience"), str::parse),
            sts_regional_endpoints: reader.read(&prefix.key("sts-regional-endpoints"), read_bool),
            token_expiration: reader.token_expiration(),
            credentials: reader.read(CREDENTIALS_ANNOTATION, str::parse),
            skip_containers: reader.containers(&prefix.key("skip-containers")),
            include_containers: reader.containers(INCLUDE_CONTAINERS_ANNOTATION),
            opt_in: OptInAnnotations::read(&mut reader),
            secrets: Secrets::read(&mut reader),
            enforces_mountable_secrets: annotations
                .get(ENFORCE_MOUNTABLE_SECRETS_ANNOTATION)
                .is_some_and(|value| read_bool(value) == Ok(true)),
            problems: reader.problems,
        }
    }
}

impl ServiceAccountAnnotations {
    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it names a role, be it one or not.
    #[must_use]
    pub fn names_role(&self) -> bool {
        self.role.is_some() || self.bad_role.is_some()
    }
}

impl PodAnnotations {
    /// Reads what `annotations` say. Never fails: what cannot be used is told in `problems`.
    #[must_use]
    pub fn read(annotations: &Annotations, prefix: &AnnotationPrefix) -> Self {
        let mut reader = Reader::new(annotations, prefix);
        Self {
            token_expiration: reader.token_expiration(),
            skip_containers: reader.containers(&prefix.key("skip-containers")),
            include_containers: reader.containers(INCLUDE_CONTAINERS_ANNOTATION),
            opt_in: OptInAnnotations::read(&mut reader),
            secrets: Secrets::read(&mut reader),
            problems: reader.problems,
        }
    }
}

#[cfg(test)]
mod tests;
