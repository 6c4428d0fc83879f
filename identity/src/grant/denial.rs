//! Why a role that a source names cannot be used, in a sentence with the fix.

use std::{fmt, sync::Arc};

use super::{DenialReason, NotPermittedBy, Source, roles};
use crate::{
    CredentialProvider, Exchange, Guardrails, NamespaceFacts, PERMITTED_ROLES_ANNOTATION,
    ROLE_MAP_NAME, RoleArn, ServiceAccountRef,
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
    /// The name of the pattern, if one names the role.
    pub pattern: Option<Arc<str>>,
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
        guardrails: &Guardrails,
    ) -> Result<(), Self> {
        let checked = roles::check_permitted(role, service_account, namespace, guardrails);
        checked.map_err(|reason| Self {
            service_account: service_account.clone(),
            source: Source::Eks,
            pattern: None,
            provider: CredentialProvider::Container,
            reason,
        })
    }

    /// The field's name in the source.
    fn external_id_field(&self) -> &'static str {
        if self.source == Source::ListFile { "externalId" } else { "externalID" }
    }

    /// What names the role.
    fn origin(&self) -> String {
        match &self.pattern {
            Some(pattern) => format!("PodIdentityPattern {pattern}"),
            None => format!("association of {}", self.service_account),
        }
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
                format!("it has a target role and no external ID; set {}", self.external_id_field())
            }
            DenialReason::WrongPartition { role, partition } => format!(
                "the role is in partition {} and podrole calls AWS in {partition}; name a role of {partition}",
                role.partition()
            ),
            DenialReason::BadPattern(error) => {
                let pattern = self.pattern.as_deref().unwrap_or_default();
                format!("PodIdentityPattern {pattern}: {error}")
            }
            DenialReason::Unreadable(unreadable) => {
                let (kind, name) = (unreadable.kind, &unreadable.name);
                format!("{kind} {name} cannot be read by this version of podrole")
            }
            DenialReason::NotPermitted { role, by } => match by {
                NotPermittedBy::Malformed(error) => error.to_string(),
                NotPermittedBy::Annotation => {
                    format!("{PERMITTED_ROLES_ANNOTATION} of the namespace does not permit {role}")
                }
                NotPermittedBy::Guardrails(_) => {
                    format!("no PodIdentityGuardrail of the namespace permits {role}")
                }
            },
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
        let (service_account, origin) = (&self.service_account, self.origin());
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
                "the {origin} has a policy, which the exchange {} cannot \
                 enforce because the pod can call STS itself without it; remove the policy, or use \
                 the exchange {}",
                Exchange::WebIdentity,
                Exchange::AssumeRole,
            ),
            DenialReason::PolicyWithTags => write!(
                f,
                "the {origin} has a policy together with session tags, \
                 which EKS does not allow; set disableSessionTags: true in it"
            ),
            DenialReason::MalformedPolicy => write!(
                f,
                "the policy in the {origin} is not a JSON object; correct \
                 it"
            ),
            DenialReason::NoExternalId => write!(
                f,
                "the {origin} has a target role and no external ID, and podrole does not know the \
                 cluster's ARN to make one; set {}, or start webhook and agent with --cluster-name \
                 and --cluster-arn",
                self.external_id_field(),
            ),
            DenialReason::WrongPartition { role, partition } => write!(
                f,
                "the role {role} is in the partition {}, and podrole calls AWS in the partition \
                 {partition}; name a role of the partition {partition}",
                role.partition()
            ),
            DenialReason::BadPattern(error) => write!(
                f,
                "the {origin} gives {service_account} no usable role ({error}); correct it, or give the \
                 ServiceAccount an association of its own",
            ),
            DenialReason::Unreadable(unreadable) => unreadable.fmt(f),
            DenialReason::NotPermitted { role, by } => {
                let namespace = service_account.namespace();
                write!(f, "namespace {namespace} does not permit {role}; ")?;
                match by {
                    NotPermittedBy::Malformed(error) => write!(f, "correct its annotation {error}"),
                    NotPermittedBy::Annotation => {
                        write!(f, "add the role to its annotation {PERMITTED_ROLES_ANNOTATION}")
                    }
                    NotPermittedBy::Guardrails(names) => write!(
                        f,
                        "add the role to permittedRoles of a PodIdentityGuardrail that selects the \
                         namespace ({})",
                        some_of(names)
                    ),
                }
            }
        }
    }
}

/// The first three names; there may be two hundred.
fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 3 { format!("{shown}, ...") } else { shown }
}

impl std::error::Error for Denial {}
