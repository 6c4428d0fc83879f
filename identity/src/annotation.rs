//! Annotations on ServiceAccounts and pods: EKS's and podrole's.

mod reader;

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    Audience, ContainerList, CredentialProvider, Exchange, OptInAnnotations, RoleArn, SecretOwner,
    Secrets, SessionDuration, TokenExpiration, TokenExpirationError, expiration::TOKEN_EXPIRATION,
};
pub use reader::TRUE_VALUES;
pub(crate) use reader::{AnnotationReader, read_bool};

/// The annotation of a ServiceAccount that sets its pods' credential provider: `web-identity` or
/// `container`.
pub const CREDENTIALS_ANNOTATION: &str = "podrole.io/credentials";
/// The name of the annotation that lists containers to leave alone, after EKS's prefix.
pub const SKIP_CONTAINERS: &str = "skip-containers";
/// The annotation that lists the only containers to inject into.
pub const INCLUDE_CONTAINERS_ANNOTATION: &str = "podrole.io/include-containers";
/// The annotation of a ServiceAccount that sets how long its pods' sessions last; only for the
/// provider `container`.
pub const SESSION_DURATION_ANNOTATION: &str = "podrole.io/session-duration";
/// The label that EKS sets to `enabled` on pods that use Pod Identity.
pub const EKS_POD_IDENTITY_LABEL: &str = "eks.amazonaws.com/pod-identity";

/// Kubernetes' annotation: if it is true, pods of the ServiceAccount may mount only the Secrets that
/// the ServiceAccount lists.
pub const ENFORCE_MOUNTABLE_SECRETS_ANNOTATION: &str = "kubernetes.io/enforce-mountable-secrets";

/// An object's annotations, by key.
pub type Annotations = BTreeMap<String, String>;

/// An object's labels, by key.
pub type Labels = BTreeMap<String, String>;

/// The prefix of EKS's annotations, before the slash. The default is `eks.amazonaws.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationPrefix(String);

/// A text is not an annotation prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an annotation prefix is a DNS name, like eks.amazonaws.com")]
pub struct AnnotationPrefixError(());

/// An annotation whose value cannot be used as written. Its author sees it as an admission warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The annotation's whole key.
    pub annotation: String,
    /// Its value, cut to 40 characters, or 16 beside a long error.
    pub value: String,
    /// What is wrong with the value, or what is used instead.
    pub error: String,
}

/// A ServiceAccount's annotations about the identity of its pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccountAnnotations {
    /// The role, if the annotation's value is a role's ARN.
    pub role: Option<RoleArn>,
    /// Set if the role annotation is not a role's ARN. No credentials may be injected then.
    pub bad_role: Option<Problem>,
    /// The token's audience, if the ServiceAccount sets one.
    pub audience: Option<Audience>,
    /// Whether SDKs call the region's STS.
    pub sts_regional_endpoints: Option<bool>,
    /// How long tokens are valid.
    pub token_expiration: Option<TokenExpiration>,
    /// The credential provider of its pods.
    pub credentials: Option<CredentialProvider>,
    /// How long the sessions of its pods last; `None` leaves it to AWS.
    pub session_duration: Option<SessionDuration>,
    /// Containers that nothing is injected into.
    pub skip_containers: ContainerList,
    /// The only containers to inject into; if empty, all of them.
    pub include_containers: ContainerList,
    /// What else to add to containers.
    pub opt_in: OptInAnnotations,
    /// Secrets to mount into containers or set as variables.
    pub secrets: Secrets,
    /// Whether the API server rejects pods that use Secrets that the ServiceAccount does not list.
    pub enforces_mountable_secrets: bool,
    /// Every value that cannot be used, except `bad_role`.
    pub problems: Vec<Problem>,
}

/// A pod's own annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodAnnotations {
    /// How long tokens are valid; takes precedence over the ServiceAccount's.
    pub token_expiration: Option<TokenExpiration>,
    /// Containers that nothing is injected into.
    pub skip_containers: ContainerList,
    /// The only containers to inject into; if empty, all of them.
    pub include_containers: ContainerList,
    /// What else to add to containers; takes precedence over the ServiceAccount's.
    pub opt_in: OptInAnnotations,
    /// Secrets for containers; for the same alias they replace the ServiceAccount's.
    pub secrets: Secrets,
    /// Every value that cannot be used.
    pub problems: Vec<Problem>,
}

impl Default for AnnotationPrefix {
    fn default() -> Self {
        Self("eks.amazonaws.com".to_owned())
    }
}

impl FromStr for AnnotationPrefix {
    type Err = AnnotationPrefixError;

    fn from_str(text: &str) -> Result<Self, AnnotationPrefixError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if text.is_empty() || text.len() > 253 || !text.bytes().all(legal) {
            return Err(AnnotationPrefixError(()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl AnnotationPrefix {
    /// The prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole key of an annotation: `eks.amazonaws.com/role-arn`.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

impl Problem {
    /// A long error leaves less room for the value: a warning has 120 characters.
    pub(crate) fn new(annotation: &str, value: &str, error: impl fmt::Display) -> Self {
        let error = error.to_string();
        let most = if error.len() > 42 { 16 } else { 40 };
        let mut shown: String = value.chars().filter(|c| !c.is_control()).take(most).collect();
        if shown.len() < value.len() {
            shown.push_str("..");
        }
        Self { annotation: annotation.to_owned(), value: shown, error }
    }
}

impl Problem {
    /// The problem with the lifetime of tokens that is used instead, if this is about one that cannot
    /// be read: who wrote `5m` sees what it became.
    #[must_use]
    pub fn with_used_expiration(self, prefix: &AnnotationPrefix, used: TokenExpiration) -> Self {
        let about_expiration = self.annotation == prefix.key(TOKEN_EXPIRATION);
        if about_expiration && self.error == TokenExpirationError::default().to_string() {
            let error = format!("{}; {} is used", self.error, used.seconds());
            return Self::new(&self.annotation, &self.value, error);
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\": {}", self.annotation, self.value, self.error)
    }
}

impl ServiceAccountAnnotations {
    /// Reads annotations. Never fails: values that cannot be used are listed in `problems`.
    #[must_use]
    pub fn read(annotations: &Annotations, prefix: &AnnotationPrefix) -> Self {
        let mut reader = AnnotationReader::new(annotations, prefix);
        let (role, bad_role) = match reader.role(&prefix.key("role-arn")) {
            None => (None, None),
            Some(Ok(role)) => (Some(role), None),
            Some(Err(problem)) => (None, Some(problem)),
        };
        Self {
            role,
            bad_role,
            audience: reader.read(&prefix.key("audience"), str::parse),
            sts_regional_endpoints: reader.read(&prefix.key("sts-regional-endpoints"), read_bool),
            token_expiration: reader.token_expiration(),
            credentials: reader.read(CREDENTIALS_ANNOTATION, str::parse),
            session_duration: reader
                .read_clamped(SESSION_DURATION_ANNOTATION, SessionDuration::read),
            skip_containers: reader.containers(&prefix.key(SKIP_CONTAINERS)),
            include_containers: reader.containers(INCLUDE_CONTAINERS_ANNOTATION),
            opt_in: OptInAnnotations::read(&mut reader),
            secrets: Secrets::read(&mut reader, SecretOwner::ServiceAccount),
            enforces_mountable_secrets: annotations
                .get(ENFORCE_MOUNTABLE_SECRETS_ANNOTATION)
                .is_some_and(|value| read_bool(value) == Ok(true)),
            problems: reader.problems,
        }
    }
}

impl ServiceAccountAnnotations {
    /// Whether no annotation says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The problem of a session duration that has no effect with this provider and exchange.
    #[must_use]
    pub fn idle_session_duration(
        &self,
        provider: CredentialProvider,
        exchange: Exchange,
    ) -> Option<Problem> {
        let duration = self.session_duration?;
        let why = SessionDuration::without_effect(provider, exchange)?;
        let value = format!("{}s", duration.seconds());
        Some(Problem::new(SESSION_DURATION_ANNOTATION, &value, why))
    }

    /// Whether the role annotation is set, to a role's ARN or not.
    #[must_use]
    pub fn names_role(&self) -> bool {
        self.role.is_some() || self.bad_role.is_some()
    }
}

impl PodAnnotations {
    /// Reads annotations. Never fails: values that cannot be used are listed in `problems`.
    #[must_use]
    pub fn read(annotations: &Annotations, prefix: &AnnotationPrefix) -> Self {
        let mut reader = AnnotationReader::new(annotations, prefix);
        Self {
            token_expiration: reader.token_expiration(),
            skip_containers: reader.containers(&prefix.key(SKIP_CONTAINERS)),
            include_containers: reader.containers(INCLUDE_CONTAINERS_ANNOTATION),
            opt_in: OptInAnnotations::read(&mut reader),
            secrets: Secrets::read(&mut reader, SecretOwner::Pod),
            problems: reader.problems,
        }
    }
}

#[cfg(test)]
mod tests;
