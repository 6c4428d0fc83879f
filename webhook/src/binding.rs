//! Who a pod is in AWS: what is known of its ServiceAccount, settled.

use podrole_identity::{CredentialPath, Problem, RoleArn, ServiceAccountAnnotations};

use crate::Settings;

/// Who the pods of a ServiceAccount are in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nobody.
    None,
    /// A role.
    Role(Box<RoleBinding>),
    /// Something that is no role: nothing is injected, and its author is told.
    BadRole(Problem),
}

/// A role, and all that the ServiceAccount says about the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleBinding {
    /// The role.
    pub role: RoleArn,
    /// What else the ServiceAccount says; its own `role` is the one above.
    pub said: ServiceAccountAnnotations,
}

impl Binding {
    /// The binding of a ServiceAccount with these annotations; of one that does not exist for
    /// `None`. The first source that names the ServiceAccount decides, and its annotations are
    /// the one source there is.
    #[must_use]
    pub fn of(annotations: Option<ServiceAccountAnnotations>) -> Self {
        let Some(said) = annotations else {
            return Self::None;
        };
        match (&said.bad_role, &said.role) {
            (Some(problem), _) => Self::BadRole(problem.clone()),
            (None, Some(role)) => Self::Role(Box::new(RoleBinding { role: role.clone(), said })),
            (None, None) => Self::None,
        }
    }

    /// The role, where there is one.
    #[must_use]
    pub fn role(&self) -> Option<&RoleArn> {
        match self {
            Self::Role(binding) => Some(&binding.role),
            Self::None | Self::BadRole(_) => None,
        }
    }

    /// The way that these pods go.
    #[must_use]
    pub fn path(&self, settings: &Settings) -> Option<CredentialPath> {
        match self {
            Self::Role(binding) => Some(binding.path(settings)),
            Self::None | Self::BadRole(_) => None,
        }
    }
}

impl RoleBinding {
    pub(crate) fn path(&self, settings: &Settings) -> CredentialPath {
        self.said.credentials.unwrap_or(settings.credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_identity::{AnnotationPrefix, Annotations};

    fn binding(pairs: &[(&str, &str)]) -> Binding {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let annotations: Annotations = pairs.collect();
        let prefix = AnnotationPrefix::default();
        Binding::of(Some(ServiceAccountAnnotations::read(&annotations, &prefix)))
    }

    const ROLE: (&str, &str) = ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/app");

    #[test]
    fn nobody_is_nobody() {
        assert_eq!(Binding::of(None), Binding::None);
        assert_eq!(binding(&[]), Binding::None);
        assert_eq!(binding(&[("podrole.io/credentials", "container")]), Binding::None);
    }

    #[test]
    fn a_bad_role_is_not_nobody() {
        let bad = binding(&[("eks.amazonaws.com/role-arn", "app")]);
        assert!(matches!(&bad, Binding::BadRole(problem) if problem.value == "app"));
        assert_eq!(bad.role(), None);
    }

    #[test]
    fn the_service_account_chooses_the_path_before_the_flag() {
        let container = Settings { credentials: CredentialPath::Container, ..Settings::default() };
        let silent = binding(&[ROLE]);
        assert_eq!(silent.path(&Settings::default()), Some(CredentialPath::WebIdentity));
        assert_eq!(silent.path(&container), Some(CredentialPath::Container));
        let chooses = binding(&[ROLE, ("podrole.io/credentials", "web-identity")]);
        assert_eq!(chooses.path(&container), Some(CredentialPath::WebIdentity));
        assert_eq!(binding(&[]).path(&container), None);
    }
}
