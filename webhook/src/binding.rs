//! Who a pod is in AWS: what is known of its ServiceAccount, settled.

use podrole_identity::{
    Association, CredentialProvider, PERMITTED_ROLES_ANNOTATION, PermittedRoles, RoleArn,
    ServiceAccountAnnotations, ServiceAccountRef,
};

use crate::{Reason, Settings, config_map::RoleEntry};

/// All that is known of a pod's ServiceAccount when the pod is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The ServiceAccount.
    pub account: ServiceAccountRef,
    /// Who its pods are in AWS.
    pub identity: Identity,
    /// What else the ServiceAccount says, and what other sources say where it is silent.
    pub said: ServiceAccountAnnotations,
}

/// Who the pods of a ServiceAccount are in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody.
    None,
    /// Someone.
    Granted(Grant),
    /// Something is wrong: nothing is injected, and the pod's author is told.
    Bad {
        /// What kind of wrong.
        reason: Reason,
        /// The same in a sentence.
        warning: String,
    },
}

/// An identity, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who gave it.
    pub source: Source,
    /// The role. An association may leave it to the agent.
    pub role: Option<RoleArn>,
    /// The role to go on to from there.
    pub target_role: Option<RoleArn>,
    /// The way to it, where the source chooses.
    pub path: Option<CredentialProvider>,
}

/// Where an identity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The association list.
    Associations,
    /// The ServiceAccount's annotation.
    Annotation,
    /// The ConfigMap of roles.
    ConfigMap,
}

impl Source {
    /// The source for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Associations => "association list",
            Self::Annotation => "annotation",
            Self::ConfigMap => "ConfigMap",
        }
    }
}

impl Binding {
    /// Of a ServiceAccount that no source names.
    #[must_use]
    pub fn nobody(account: &ServiceAccountRef, said: ServiceAccountAnnotations) -> Self {
        Self { account: account.clone(), identity: Identity::None, said }
    }

    /// Of a ServiceAccount whose own annotations name a role.
    #[must_use]
    pub fn annotated(account: &ServiceAccountRef, said: ServiceAccountAnnotations) -> Self {
        let identity = match (&said.bad_role, &said.role) {
            (Some(problem), _) => {
                Identity::Bad { reason: Reason::BadRole, warning: problem.to_string() }
            }
            (None, Some(role)) => Identity::Granted(Grant {
                source: Source::Annotation,
                role: Some(role.clone()),
                target_role: None,
                path: said.credentials,
            }),
            (None, None) => Identity::None,
        };
        Self { account: account.clone(), identity, said }
    }

    /// Of a ServiceAccount with an association: the container path, as on EKS, and the
    /// association's role before the ServiceAccount's own.
    #[must_use]
    pub fn associated(
        account: &ServiceAccountRef,
        association: &Association,
        said: ServiceAccountAnnotations,
    ) -> Self {
        let identity = Identity::Granted(Grant {
            source: Source::Associations,
            role: association.role.clone().or_else(|| said.role.clone()),
            target_role: association.target_role.clone(),
            path: Some(CredentialProvider::Container),
        });
        Self { account: account.clone(), identity, said }
    }

    /// Of a ServiceAccount in the ConfigMap: web identity, and the entry's word where the
    /// ServiceAccount is silent.
    #[must_use]
    pub fn mapped(
        account: &ServiceAccountRef,
        entry: &RoleEntry,
        mut said: ServiceAccountAnnotations,
    ) -> Self {
        let regional = &mut said.sts_regional_endpoints;
        *regional = regional.or(entry.sts_regional_endpoints);
        said.token_expiration = said.token_expiration.or(entry.token_expiration);
        said.audience = said.audience.take().or_else(|| entry.audience.clone());
        let identity = Identity::Granted(Grant {
            source: Source::ConfigMap,
            role: Some(entry.role.clone()),
            target_role: None,
            path: Some(CredentialProvider::WebIdentity),
        });
        Self { account: account.clone(), identity, said }
    }

    /// The same where the namespace permits it; otherwise why not.
    #[must_use]
    pub fn guarded(mut self, permitted: &PermittedRoles) -> Self {
        if let Some(warning) = self.forbidden_by(permitted) {
            self.identity = Identity::Bad { reason: Reason::NotPermitted, warning };
        }
        self
    }

    fn forbidden_by(&self, permitted: &PermittedRoles) -> Option<String> {
        let grant = self.grant()?;
        if let PermittedRoles::Malformed(error) = permitted {
            return Some(error.to_string());
        }
        let role = grant.roles().find(|role| !permitted.permits(role))?;
        let namespace = self.account.namespace();
        Some(format!("{namespace}: {PERMITTED_ROLES_ANNOTATION} does not permit {role}"))
    }

    /// What is granted, where anything is.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match &self.identity {
            Identity::Granted(grant) => Some(grant),
            Identity::None | Identity::Bad { .. } => None,
        }
    }

    /// The role, where it is known.
    #[must_use]
    pub fn role(&self) -> Option<&RoleArn> {
        self.grant()?.role.as_ref()
    }

    /// The way that these pods go.
    #[must_use]
    pub fn path(&self, settings: &Settings) -> Option<CredentialProvider> {
        self.grant().map(|grant| grant.path(settings))
    }

    /// Whether a pod that asks for nothing itself has nothing to get and its author nothing to
    /// learn.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let said = &self.said;
        self.identity == Identity::None && said.secrets.is_empty() && said.problems.is_empty()
    }
}

impl Grant {
    pub(crate) fn path(&self, settings: &Settings) -> CredentialProvider {
        self.path.unwrap_or(settings.credentials)
    }

    /// Every role on the way.
    fn roles(&self) -> impl Iterator<Item = &RoleArn> {
        self.role.iter().chain(&self.target_role)
    }
}

#[cfg(test)]
mod tests;
