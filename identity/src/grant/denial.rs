//! Why a role that a source names cannot be used, in a sentence with the fix.

use std::fmt;

use super::{DenialReason, Source, roles};
use crate::{
    CredentialProvider, Exchange, NamespaceFacts, PERMITTED_ROLES_ANNOTATION, ROLE_MAP_NAME,
    RoleArn, ServiceAccountRef,
};

/// How long a warning may be: the API server cuts longer ones, kubectl shows one on one line.
const MAX_SUMMARY: usize = 120;

/// A role that cannot be used. Its [`Display`](fmt::Display) form is the whole sentence with the
/// fix, the same in admission, in the agent's answer and in the CLI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The source that names the role.
    pub source: Source,
    /// The provider that its pods would use.
    pub provider: CredentialProvider,
    /// Why.
    pub reason: DenialReason,
}

impl Denial {
    /// A guard-rail's verdict on a role that AWS chose (exchange `eks-auth`). AWS names such a
    /// role without its path.
    ///
    /// # Errors
    /// If the namespace does not permit the role.
    pub fn check_permitted(
        service_account: &ServiceAccountRef,
        role: &RoleArn,
        namespace: &NamespaceFacts,
    ) -> Result<(), Self> {
        roles::check_permitted(role, &namespace.permitted).map_err(|reason| Self {
            service_account: service_account.clone(),
            source: Source::Eks,
            provider: CredentialProvider::Container,
            reason,
        })
    }

    /// The denial in at most 120 characters, for admission warnings.
    #[must_use]
    pub fn summary(&self) -> String {
        let text = match &self.reason {
            DenialReason::NoAssociation => {
                "the role annotation does not count with exchange assume-role; ask for an association"
                    .to_owned()
            }
            DenialReason::BadRole(problem) => problem.to_string(),
            DenialReason::BadEntry(error) => format!("entry of ConfigMap {ROLE_MAP_NAME}: {error}"),
            DenialReason::PolicyNotEnforceable => {
                "the association's policy cannot be enforced with exchange web-identity; remove it"
                    .to_owned()
            }
            DenialReason::PolicyWithTags => {
                "the association's policy needs disableSessionTags: true; set it".to_owned()
            }
            DenialReason::MalformedPolicy => {
                "the association's policy is not a JSON object; correct it".to_owned()
            }
            DenialReason::NoExternalId => {
                "the association has a targetRoleArn and no externalId; set externalId".to_owned()
            }
            DenialReason::WrongPartition { role, partition } => format!(
                "the role is in partition {} and podrole calls AWS in {partition}; name a role of {partition}",
                role.partition()
            ),
            DenialReason::NotPermitted { malformed: Some(error), .. } => error.to_string(),
            DenialReason::NotPermitted { role, malformed: None } => {
                format!("{PERMITTED_ROLES_ANNOTATION} of the namespace does not permit {role}")
            }
        };
        shorten(text)
    }
}

fn shorten(text: String) -> String {
    if text.chars().count() <= MAX_SUMMARY {
        return text;
    }
    let kept: String = text.chars().take(MAX_SUMMARY - 3).collect();
    format!("{kept}...")
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service_account = &self.service_account;
        match &self.reason {
            DenialReason::NoAssociation => write!(
                f,
                "ServiceAccount {service_account} names its role by annotation, which does not \
                 count with the exchange {}; ask the cluster's administrator for an association \
                 (or for --allow-annotation-roles and the namespace annotation \
                 {PERMITTED_ROLES_ANNOTATION})",
                Exchange::AssumeRole,
            ),
            DenialReason::BadRole(problem) => write!(
                f,
                "the role of ServiceAccount {service_account} cannot be used; correct its \
                 annotation {problem}"
            ),
            DenialReason::BadEntry(error) => write!(
                f,
                "the role of ServiceAccount {service_account} cannot be used; correct its entry in \
                 the ConfigMap {ROLE_MAP_NAME}: {error}"
            ),
            DenialReason::PolicyNotEnforceable => write!(
                f,
                "the association of {service_account} has a policy, which the exchange {} cannot \
                 enforce because the pod can call STS itself without it; remove the policy, or use \
                 the exchange {}",
                Exchange::WebIdentity,
                Exchange::AssumeRole,
            ),
            DenialReason::PolicyWithTags => write!(
                f,
                "the association of {service_account} has a policy together with session tags, \
                 which EKS does not allow; set disableSessionTags: true in it"
            ),
            DenialReason::MalformedPolicy => write!(
                f,
                "the policy in the association of {service_account} is not a JSON object; correct \
                 it"
            ),
            DenialReason::NoExternalId => write!(
                f,
                "the association of {service_account} has a targetRoleArn and no externalId, and \
                 podrole does not know the cluster's ARN to make one; set externalId, or start \
                 webhook and agent with --cluster-name and --cluster-arn"
            ),
            DenialReason::WrongPartition { role, partition } => write!(
                f,
                "the role {role} is in the partition {}, and podrole calls AWS in the partition \
                 {partition}; name a role of the partition {partition}",
                role.partition()
            ),
            DenialReason::NotPermitted { role, malformed } => {
                let namespace = service_account.namespace();
                write!(f, "namespace {namespace} does not permit {role}; ")?;
                match malformed {
                    Some(error) => write!(f, "correct its annotation {error}"),
                    None => {
                        write!(f, "add the role to its annotation {PERMITTED_ROLES_ANNOTATION}")
                    }
                }
            }
        }
    }
}

impl std::error::Error for Denial {}
