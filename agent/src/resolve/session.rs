//! The session for a caller whose ServiceAccount was checked. Pure.

use podrole_identity::{
    AnnotationPrefix, Association, Audience, CredentialProvider, Denial, Exchange, Facts,
    GrantRules, NamespaceFacts, RoleArn, SessionNameTemplate, grant,
};

use super::{ResolveError, ServiceAccountFacts};
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
    /// Its entry in the association list.
    pub association: Option<&'a Association>,
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
}

pub(super) fn session(
    request: &RequestFacts<'_>,
    facts: &ServiceAccountFacts,
    sessions: &Sessions,
) -> Result<Decision, ResolveError> {
    let (caller, rules) = (request.caller, &sessions.rules);
    let service_account = &caller.service_account;
    let sources = facts.sources(request.association);
    // The request itself shows that the pod uses the provider `container`.
    let provider = Some(CredentialProvider::Container);
    let grant_facts = Facts { service_account, sources, namespace: request.namespace, provider };
    let grant = grant(&grant_facts, rules)?.ok_or_else(|| ResolveError::NoRole {
        service_account: service_account.clone(),
        exchange: rules.exchange,
        annotation: sessions.annotation_prefix.key("role-arn"),
    })?;
    let named_for_pod = grant.session_name.is_none() && sessions.session_name.mentions_the_pod();
    let session_name = grant
        .session_name
        .unwrap_or_else(|| sessions.session_name.expand(service_account, &caller.pod_name));
    let tags = if grant.session_tags { tags(caller, rules) } else { Vec::new() };
    let per_pod = rules.exchange == Exchange::EksAuth || !tags.is_empty() || named_for_pod;
    Ok(Decision { session: SessionRequest { session_name, steps: grant.steps, tags }, per_pod })
}

/// The six session tags of EKS Pod Identity.
fn tags(caller: &Caller, rules: &GrantRules) -> Vec<Tag> {
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
    tags.map(|(key, value)| Tag { key, value: value.to_owned() }).to_vec()
}

/// Checks the guard-rail for the role that AWS says the credentials are of, if EKS chose it.
///
/// # Errors
/// If the namespace does not permit the role.
pub fn check_permitted(
    role: &RoleArn,
    caller: &Caller,
    namespace: &NamespaceFacts,
    session: &SessionRequest,
) -> Result<(), ResolveError> {
    // A role that we requested by name was checked by its whole ARN. What AWS returns lacks the
    // path, so checking it again could refuse a permitted role.
    if !session.steps.is_empty() {
        return Ok(());
    }
    Ok(Denial::check_permitted(&caller.service_account, role, namespace)?)
}
