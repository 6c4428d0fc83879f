//! The session for a caller whose ServiceAccount was checked. Pure.

use jiff::Timestamp;
use podrole_identity::{
    AnnotationPrefix, Association, Audience, CredentialProvider, Denial, Exchange, Facts,
    GrantRules, Guardrails, NamespaceFacts, Patterns, RoleArn, SessionNameTemplate, SessionTags,
    grant,
};

use super::{AssociationFacts, ResolveError, ServiceAccountFacts};
use crate::{
    exchange::{SessionRequest, Tag},
    token::Caller,
};

/// What is known about a request when its session is decided.
pub struct RequestFacts<'a> {
    /// The verified caller.
    pub caller: &'a Caller,
    /// The caller's ServiceAccount; `None` if it does not exist.
    pub service_account: Option<&'a ServiceAccountFacts>,
    /// Its PodIdentityAssociation.
    pub association: Option<&'a AssociationFacts>,
    /// Its entry in the association list.
    pub listed: Option<&'a Association>,
    /// All patterns.
    pub patterns: &'a Patterns,
    /// All guard-rails.
    pub guardrails: &'a Guardrails,
    /// Its namespace.
    pub namespace: &'a NamespaceFacts,
}

/// How sessions are made, the same for all callers.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Which role a ServiceAccount gets.
    pub rules: GrantRules,
    /// The name of sessions whose association sets none.
    pub session_name: SessionNameTemplate,
    /// The prefix of EKS's annotations, for error messages.
    pub annotation_prefix: AnnotationPrefix,
    /// Whether PodIdentityAssociations decide, for error messages.
    pub association_objects: bool,
    /// The audience that error messages ask for.
    pub audience: Audience,
}

/// The session to request from AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The session.
    pub session: SessionRequest,
    /// Whether each pod of the ServiceAccount needs a session of its own.
    pub per_pod: bool,
    /// Sessions that were obtained before this time are not served.
    pub not_before: Option<Timestamp>,
}

pub(super) fn session(
    request: &RequestFacts<'_>,
    facts: &ServiceAccountFacts,
    sessions: &Sessions,
) -> Result<Decision, ResolveError> {
    let (caller, rules) = (request.caller, &sessions.rules);
    let service_account = &caller.service_account;
    let sources = facts.sources(request.association, request.listed);
    // The request itself shows that the pod uses the provider `container`.
    let provider = Some(CredentialProvider::Container);
    let grant_facts = Facts {
        service_account,
        labels: &facts.labels,
        sources,
        patterns: request.patterns,
        guardrails: request.guardrails,
        namespace: request.namespace,
        provider,
    };
    let grant = grant(&grant_facts, rules)?.ok_or_else(|| ResolveError::NoRole {
        service_account: service_account.clone(),
        exchange: rules.exchange,
        annotation: sessions.annotation_prefix.key("role-arn"),
        association_objects: sessions.association_objects,
    })?;
    let template = grant.session_name.as_ref().unwrap_or(&sessions.session_name);
    let session_name = template.expand(service_account, &caller.pod_name);
    let tags = tags(caller, rules, grant.session_tags);
    let names_pod = template.mentions_the_pod() || tags.len() > TAGS_WITHOUT_POD;
    let session = SessionRequest { session_name, steps: grant.steps, tags };
    let per_pod = rules.exchange == Exchange::EksAuth || names_pod;
    Ok(Decision { session, per_pod, not_before: grant.not_before })
}

/// How many of EKS's tags do not name the pod.
const TAGS_WITHOUT_POD: usize = 4;

/// The six session tags of EKS Pod Identity, or those four that do not name the pod.
fn tags(caller: &Caller, rules: &GrantRules, which: SessionTags) -> Vec<Tag> {
    let Some(cluster) = &rules.cluster else {
        return Vec::new();
    };
    let service_account = &caller.service_account;
    let tags = [
        ("eks-cluster-arn", cluster.arn()),
        ("eks-cluster-name", cluster.name()),
        ("kubernetes-namespace", service_account.namespace()),
        ("kubernetes-service-account", service_account.name()),
        ("kubernetes-pod-name", &caller.pod_name),
        ("kubernetes-pod-uid", &caller.pod_uid),
    ];
    let count = match which {
        SessionTags::Off => 0,
        SessionTags::ServiceAccount => TAGS_WITHOUT_POD,
        SessionTags::Pod => tags.len(),
    };
    let tags = tags.into_iter().take(count);
    tags.map(|(key, value)| Tag { key, value: value.to_owned() }).collect()
}

/// Checks the guard-rail for the role that AWS says the credentials are of, if EKS chose it.
///
/// # Errors
/// If the namespace does not permit the role.
pub fn check_permitted(
    role: &RoleArn,
    caller: &Caller,
    (namespace, guardrails): (&NamespaceFacts, &Guardrails),
    session: &SessionRequest,
) -> Result<(), ResolveError> {
    // A role that we requested by name was checked by its whole ARN. What AWS returns lacks the
    // path, so checking it again could refuse a permitted role.
    if !session.steps.is_empty() {
        return Ok(());
    }
    Ok(Denial::check_permitted(&caller.service_account, role, namespace, guardrails)?)
}
