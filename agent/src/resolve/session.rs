//! The session that a caller's pod gets: which roles, in which way. Pure.

use podrole_identity::{
    Association, Audience, Exchange as Kind, PermittedRoles, RoleArn, SessionNameTemplate,
};

use super::{NamespaceFacts, ResolveError, ServiceAccountFacts};
use crate::{
    exchange::{RoleStep, SessionRequest, Tag},
    token::Caller,
};

/// AWS's bound for a session that is got with another session, less a minute, as on EKS.
const TARGET_SECONDS: u32 = 3540;

/// What was looked up for a request.
pub struct Asked<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The caller's ServiceAccount, if it is there.
    pub account: Option<&'a ServiceAccountFacts>,
    /// What the cluster's administrator set for it.
    pub association: Option<&'a Association>,
    /// Its namespace.
    pub namespace: &'a NamespaceFacts,
}

/// How sessions are made here, the same for all callers.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// How credentials are got.
    pub exchange: Kind,
    /// The partition of AWS that is asked.
    pub partition: &'static str,
    /// The region that is asked.
    pub region: String,
    /// The cluster, as session tags name it.
    pub cluster: Option<ClusterId>,
    /// Whether sessions carry EKS's tags; only assume-role can.
    pub tags: bool,
    /// Whether annotations may name roles though the agent's own power is used.
    pub annotation_roles: bool,
    /// What sessions are called.
    pub session_name: SessionNameTemplate,
    /// The audience that a message asks for.
    pub audience: Audience,
}

/// A cluster's name and ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterId {
    name: String,
    arn: String,
}

/// Why something is no cluster's name and ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterIdError {
    /// The name.
    #[error("a cluster's name is 1 to 100 of A-Z a-z 0-9 - _ ., and begins with a letter or digit")]
    Name,
    /// The ARN.
    #[error("a cluster's ARN is arn:aws:eks:<region>:<account>:cluster/<name>")]
    Arn,
}

/// What is asked of AWS for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The session.
    pub session: SessionRequest,
    /// Pods of one ServiceAccount get sessions of their own.
    pub per_pod: bool,
}

impl ClusterId {
    /// A cluster by name and ARN.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub fn new(name: &str, arn: &str) -> Result<Self, ClusterIdError> {
        Self::check_name(name)?;
        let parts: Vec<&str> = arn.split(':').collect();
        let whole = matches!(parts[..], ["arn", partition, "eks", region, account, resource]
            if !partition.is_empty() && !region.is_empty()
                && account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
                && resource.strip_prefix("cluster/").is_some_and(|name| !name.is_empty()));
        if !whole || arn.len() > 256 {
            return Err(ClusterIdError::Arn);
        }
        Ok(Self { name: name.to_owned(), arn: arn.to_owned() })
    }

    /// Whether a cluster may be called so: names stand in paths and in tags.
    ///
    /// # Errors
    /// When it may not.
    pub fn check_name(name: &str) -> Result<(), ClusterIdError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        let whole = begins && name.len() <= 100 && name.chars().all(legal);
        whole.then_some(()).ok_or(ClusterIdError::Name)
    }

    /// The region and the account that the ARN names.
    fn place(&self) -> Option<(&str, &str)> {
        let mut parts = self.arn.split(':').skip(3);
        Some((parts.next()?, parts.next()?))
    }
}

/// The session for a caller whose ServiceAccount is in order.
pub(super) fn session(asked: &Asked<'_>, sessions: &Sessions) -> Result<Decision, ResolveError> {
    let (caller, account) = (asked.caller, &asked.caller.service_account);
    let association = asked.association.filter(|association| association.role.is_some());
    let own_name = association.and_then(|association| association.session_name.clone());
    let named_for_pod = own_name.is_none() && sessions.session_name.mentions_the_pod();
    let session_name =
        own_name.unwrap_or_else(|| sessions.session_name.expand(account, &caller.pod_name));
    let (steps, tags) = match (sessions.exchange, association) {
        (Kind::EksAuth, _) => (Vec::new(), Vec::new()),
        (_, Some(association)) => {
            (steps(association, sessions)?, tags(association, caller, sessions))
        }
        (_, None) => (vec![step(annotated_role(asked, sessions)?)], all_tags(caller, sessions)),
    };
    for step in &steps {
        check_role(&step.role, asked, sessions)?;
    }
    let per_pod = sessions.exchange == Kind::EksAuth || !tags.is_empty() || named_for_pod;
    Ok(Decision { session: SessionRequest { session_name, steps, tags }, per_pod })
}

fn step(role: RoleArn) -> RoleStep {
    RoleStep { role, external_id: None, policy: None, duration_seconds: None }
}

/// The role of the ServiceAccount's annotation, where such a role counts.
fn annotated_role(asked: &Asked<'_>, sessions: &Sessions) -> Result<RoleArn, ResolveError> {
    let account = || asked.caller.service_account.clone();
    let guarded = sessions.annotation_roles && asked.namespace.permitted != PermittedRoles::Any;
    if sessions.exchange == Kind::AssumeRole && !guarded {
        return Err(ResolveError::NoAssociation(account()));
    }
    let annotations = asked.account.map(|facts| &facts.annotations);
    if let Some(problem) = annotations.and_then(|said| said.bad_role.clone()) {
        return Err(ResolveError::BadRole { account: account(), problem });
    }
    let role = annotations.and_then(|said| said.role.clone());
    role.ok_or_else(|| ResolveError::NoRole(account()))
}

fn steps(association: &Association, sessions: &Sessions) -> Result<Vec<RoleStep>, ResolveError> {
    let account = || association.service_account.clone();
    if association.policy.is_some() && sessions.exchange == Kind::WebIdentity {
        return Err(ResolveError::PolicyNotEnforceable(account()));
    }
    if association.policy.is_some() && sessions.tags && !association.disable_session_tags {
        return Err(ResolveError::PolicyWithTags(account()));
    }
    let role = association.role.clone().ok_or_else(|| ResolveError::NoRole(account()))?;
    let mut steps = vec![step(role)];
    if let Some(target) = association.target_role.clone() {
        let external_id = external_id(association, &steps[0].role, sessions);
        let external_id = external_id.ok_or_else(|| ResolveError::NoExternalId(account()))?;
        steps.push(RoleStep { external_id: Some(external_id), ..step(target) });
    }
    let chained = steps.len() > 1;
    if let Some(last) = steps.last_mut() {
        last.policy.clone_from(&association.policy);
        last.duration_seconds = match (association.duration_seconds, chained) {
            (wanted, false) => wanted,
            (wanted, true) => Some(wanted.map_or(TARGET_SECONDS, |it| it.min(TARGET_SECONDS))),
        };
    }
    Ok(steps)
}

/// What the target role's trust policy can expect, the same text as EKS's.
fn external_id(association: &Association, base: &RoleArn, sessions: &Sessions) -> Option<String> {
    if association.external_id.is_some() {
        return association.external_id.clone();
    }
    let cluster = sessions.cluster.as_ref()?;
    let (region, account) = cluster.place().unwrap_or((&sessions.region, base.account()));
    let whose = &association.service_account;
    let (namespace, name) = (whose.namespace(), whose.name());
    Some(format!("{region}/{account}/{}/{namespace}/{name}", cluster.name))
}

fn tags(association: &Association, caller: &Caller, sessions: &Sessions) -> Vec<Tag> {
    if association.disable_session_tags {
        return Vec::new();
    }
    all_tags(caller, sessions)
}

/// The six tags of EKS Pod Identity.
fn all_tags(caller: &Caller, sessions: &Sessions) -> Vec<Tag> {
    let Some(cluster) = sessions.cluster.as_ref().filter(|_| sessions.tags) else {
        return Vec::new();
    };
    let account = &caller.service_account;
    let tags = [
        ("eks-cluster-arn", cluster.arn.as_str()),
        ("eks-cluster-name", &cluster.name),
        ("kubernetes-namespace", account.namespace()),
        ("kubernetes-service-account", account.name()),
        ("kubernetes-pod-name", &caller.pod_name),
        ("kubernetes-pod-uid", &caller.pod_uid),
    ];
    tags.map(|(key, value)| Tag { key, value: value.to_owned() }).to_vec()
}

fn check_role(role: &RoleArn, asked: &Asked<'_>, sessions: &Sessions) -> Result<(), ResolveError> {
    if role.partition() != sessions.partition {
        let (role, partition) = (role.clone(), sessions.partition);
        return Err(ResolveError::Partition { role, partition });
    }
    permit(role, asked.caller, asked.namespace)
}

fn permit(role: &RoleArn, caller: &Caller, namespace: &NamespaceFacts) -> Result<(), ResolveError> {
    if namespace.permitted.permits(role) {
        return Ok(());
    }
    let namespace = caller.service_account.namespace().to_owned();
    Err(ResolveError::NotPermitted { namespace, role: role.clone() })
}

/// The guard-rail for the role that AWS says the credentials are of, where EKS chose that. AWS
/// tells such a role without its path.
///
/// # Errors
/// When the namespace may not become the role.
pub fn check_permitted(
    role: &RoleArn,
    caller: &Caller,
    namespace: &NamespaceFacts,
    session: &SessionRequest,
) -> Result<(), ResolveError> {
    // What we asked for by name was judged by name, path and all.
    if session.steps.is_empty() { permit(role, caller, namespace) } else { Ok(()) }
}
