//! Annotations on ServiceAccounts and pods: EKS's own, and ours beside them.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{Audience, ContainerList, CredentialPath, RoleArn, TokenExpiration};

/// Says on a ServiceAccount which way its pods go: `web-identity` or `container`.
pub const CREDENTIALS_ANNOTATION: &str = "podrole.io/credentials";
/// Names the only containers that are given anything.
pub const INCLUDE_CONTAINERS_ANNOTATION: &str = "podrole.io/include-containers";
/// The label that EKS puts on pods of the container path; its value is `enabled`.
pub const EKS_POD_IDENTITY_LABEL: &str = "eks.amazonaws.com/pod-identity";

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
    pub fault: String,
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
    pub credentials: Option<CredentialPath>,
    /// Containers that are left alone.
    pub skip_containers: ContainerList,
    /// The only containers that are given anything, unless empty.
    pub include_containers: ContainerList,
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
    fn new(annotation: &str, value: &str, fault: impl fmt::Display) -> Self {
        let mut shown: String = value.chars().filter(|c| !c.is_control()).take(40).collect();
        if shown.len() < value.len() {
            shown.push_str("..");
        }
        Self { annotation: annotation.to_owned(), value: shown, fault: fault.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\": {}", self.annotation, self.value, self.fault)
    }
}

/// Reads annotations one by one and gathers what could not be used.
struct Reader<'a> {
    annotations: &'a Annotations,
    prefix: &'a AnnotationPrefix,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The value under `key`, read; a bad one is a problem and otherwise as if absent.
    fn read<T, E: fmt::Display>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.annotations.get(key)?;
        read(value).map_err(|fault| self.problems.push(Problem::new(key, value, fault))).ok()
    }

    fn token_expiration(&mut self) -> Option<TokenExpiration> {
        let key = self.prefix.key("token-expiration");
        let (life, moved) = self.read(&key, TokenExpiration::read)?;
        if let (Some(moved), Some(value)) = (moved, self.annotations.get(&key)) {
            self.problems.push(Problem::new(&key, value, moved));
        }
        Some(life)
    }

    fn containers(&self, key: &str) -> ContainerList {
        self.annotations.get(key).map(|value| ContainerList::read(value)).unwrap_or_default()
    }
}

impl ServiceAccountAnnotations {
    /// Reads what `annotations` say. Never fails: what cannot be used is told in `problems`.
    #[must_use]
    pub fn read(annotations: &Annotations, prefix: &AnnotationPrefix) -> Self {
        let mut reader = Reader { annotations, prefix, problems: Vec::new() };
        let role_key = prefix.key("role-arn");
        let named = annotations.get(&role_key).filter(|value| !value.is_empty());
        let (role, bad_role) = match named.map(|value| value.parse::<RoleArn>()) {
            None => (None, None),
            Some(Ok(role)) => (Some(role), None),
            Some(Err(fault)) => (None, named.map(|value| Problem::new(&role_key, value, fault))),
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
            problems: reader.problems,
        }
    }
}

impl PodAnnotations {
    /// Reads what `annotations` say. Never fails: what cannot be used is told in `problems`.
    #[must_use]
    pub fn read(annotations: &Annotations, prefix: &AnnotationPrefix) -> Self {
        let mut reader = Reader { annotations, prefix, problems: Vec::new() };
        Self {
            token_expiration: reader.token_expiration(),
            skip_containers: reader.containers(&prefix.key("skip-containers")),
            include_containers: reader.containers(INCLUDE_CONTAINERS_ANNOTATION),
            problems: reader.problems,
        }
    }
}

/// The words that Go's strconv takes for a boolean, as EKS's webhook does.
fn read_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("it is neither true nor false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> ServiceAccountAnnotations {
        let annotations = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default())
    }

    #[test]
    fn all_of_a_service_account_is_read() {
        let read = read(&[
            ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/app"),
            ("eks.amazonaws.com/audience", "my.audience"),
            ("eks.amazonaws.com/sts-regional-endpoints", "False"),
            ("eks.amazonaws.com/token-expiration", "3600"),
            ("eks.amazonaws.com/skip-containers", "istio-proxy, logs"),
            ("podrole.io/credentials", "container"),
            ("podrole.io/include-containers", "app"),
        ]);
        assert_eq!(read.role.unwrap().name(), "app");
        assert_eq!(read.audience.unwrap().as_str(), "my.audience");
        assert_eq!(read.sts_regional_endpoints, Some(false));
        assert_eq!(read.token_expiration.unwrap().seconds(), 3600);
        assert_eq!(read.credentials, Some(CredentialPath::Container));
        assert!(read.skip_containers.names("logs"));
        assert!(read.include_containers.names("app"));
        assert!(read.problems.is_empty() && read.bad_role.is_none());
    }

    #[test]
    fn a_role_that_is_none_is_told_and_not_used() {
        let read = read(&[("eks.amazonaws.com/role-arn", "my-role")]);
        assert_eq!(read.role, None);
        let told = read.bad_role.unwrap().to_string();
        assert!(told.starts_with("eks.amazonaws.com/role-arn \"my-role\": "), "{told}");
    }

    #[test]
    fn an_empty_role_is_no_role() {
        let read = read(&[("eks.amazonaws.com/role-arn", "")]);
        assert_eq!(read, ServiceAccountAnnotations::default());
    }

    #[test]
    fn bad_values_fall_back_and_are_told() {
        let read = read(&[
            ("eks.amazonaws.com/audience", ""),
            ("eks.amazonaws.com/sts-regional-endpoints", "yes"),
            ("eks.amazonaws.com/token-expiration", "soon"),
            ("podrole.io/credentials", "irsa"),
        ]);
        assert_eq!(read.audience, None);
        assert_eq!(read.sts_regional_endpoints, None);
        assert_eq!(read.token_expiration, None);
        assert_eq!(read.credentials, None);
        assert_eq!(read.problems.len(), 4);
    }

    #[test]
    fn a_life_out_of_bounds_is_moved_and_told() {
        let read = read(&[("eks.amazonaws.com/token-expiration", "60")]);
        assert_eq!(read.token_expiration.unwrap().seconds(), 600);
        assert_eq!(read.problems.len(), 1);
    }

    #[test]
    fn another_prefix_is_another_annotation() {
        let prefix: AnnotationPrefix = "example.org".parse().unwrap();
        let annotations =
            [("example.org/token-expiration".to_owned(), "700".to_owned())].into_iter().collect();
        let read = PodAnnotations::read(&annotations, &prefix);
        assert_eq!(read.token_expiration.unwrap().seconds(), 700);
        let other = PodAnnotations::read(&annotations, &AnnotationPrefix::default());
        assert_eq!(other, PodAnnotations::default());
        assert!("a/b".parse::<AnnotationPrefix>().is_err());
    }

    #[test]
    fn a_problem_fits_a_line_and_has_no_control_characters() {
        let value = format!("\u{1b}[31m{}\n", "x".repeat(300));
        let told = Problem::new("k", &value, "bad").to_string();
        assert!(told.len() < 120 && !told.chars().any(char::is_control), "{told}");
    }
}
