//! EKS Auth: a node sends a pod's token and gets the credentials of the role in the pod's association.
//!
//! ```text
//!   Call ─► caller: permitted? ─► token: which pod? ─► association ─► role step as the service
//!                                                                     └─► role step to the target role
//! ```
//!
//! Sources: the service model for shapes and codes, and EKS's user guide for tags and durations.

mod error;
mod pod;
mod response;
pub(crate) mod role;
pub(crate) mod route;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Deserialize;

use self::{
    error::EksAuthError,
    pod::Pod,
    response::{JsonResponse, write},
};
use crate::{
    accounts::{Accounts, Cluster},
    call::Call,
    decisions::Decision,
    random,
    sandbox::Sandbox,
    sts::{caller::Caller, inputs::DecisionInputs, permission, role_step},
    token::Token,
};

const OPERATION: &str = "AssumeRoleForPodIdentity";
const ACTION: &str = "eks-auth:AssumeRoleForPodIdentity";
/// The API's limits for a cluster's name.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 1..=100;

/// The body of a call. Unknown fields are ignored, because EKS's agent sends more.
#[derive(Deserialize)]
struct Body {
    token: Option<String>,
}

/// A permitted call: the session to issue, and the pod it is for.
struct PodIdentity {
    granted: role_step::GrantedSession,
    pod: Pod,
    association: (String, String),
}

impl Sandbox {
    /// Handles AssumeRoleForPodIdentity and records the decision.
    pub(crate) fn pod_identity(
        &self,
        call: &Call<'_>,
        cluster: &str,
        now: Timestamp,
    ) -> JsonResponse {
        let request_id = random::uuid().unwrap_or_default();
        let written = self.decide_pod_identity(call, cluster, now).and_then(|done| {
            let session = self.issue(&done.granted, now)?;
            let body = write(&done.pod, &done.association, &session);
            let role = session.grant.identity.owner_arn().to_owned();
            Ok((body, role, format!("{} for {}", done.granted.reason, done.pod.account)))
        });
        let error = written.as_ref().err();
        self.write(Decision {
            at: now,
            request_id: Some(request_id.clone()),
            operation: OPERATION.into(),
            allowed: error.is_none(),
            code: error.map(|error| error.code().0.into()),
            role: written.as_ref().ok().map(|(_, role, _)| role.clone()),
            reason: match &written {
                Ok((_, _, reason)) => reason.clone(),
                Err(error) => error.reason(),
            },
        });
        match written {
            Ok((body, ..)) => JsonResponse::success(body, request_id),
            Err(error) => JsonResponse::error(&error, request_id),
        }
    }

    fn decide_pod_identity(
        &self,
        call: &Call<'_>,
        cluster: &str,
        now: Timestamp,
    ) -> Result<PodIdentity, EksAuthError> {
        let caller = self.caller(call, "eks-auth", now)?;
        let token = read(call.body, cluster)?;
        let accounts = self.accounts();
        check_permission(&caller, cluster, now)?;
        let account = caller.account().unwrap_or_default();
        let cluster = accounts.cluster(account, &caller.region, cluster);
        let cluster = cluster.ok_or(EksAuthError::NoCluster)?;
        let uuid = random::uuid()?;
        decide(self.inputs(&accounts), cluster, &token, &uuid, now)
    }
}

/// Decides for a permitted caller and an existing cluster.
fn decide(
    inputs: DecisionInputs<'_>,
    cluster: &Cluster,
    token: &str,
    uuid: &str,
    now: Timestamp,
) -> Result<PodIdentity, EksAuthError> {
    let pod = verified(inputs, cluster, token, now)?;
    let association = cluster.association(&pod.account);
    let association =
        association.ok_or_else(|| EksAuthError::NoAssociation(pod.account.clone()))?;
    let step = role::PodRole { inputs, cluster, association, pod: &pod, uuid };
    let granted = step.decide(now)?;
    let association = (cluster.association_arn(association), cluster.association_id(association));
    Ok(PodIdentity { granted, pod, association })
}

/// Checks the cluster's name and returns the token from the body.
fn read(body: &[u8], cluster: &str) -> Result<String, EksAuthError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let fits = NAME_LENGTH.contains(&cluster.len())
        && cluster.chars().all(legal)
        && cluster.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !fits {
        return Err(EksAuthError::Parameter("clusterName"));
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| EksAuthError::Unreadable)?;
    let part = |part: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_=".contains(c);
        !part.is_empty() && part.chars().all(legal)
    };
    let formed = |token: &String| token.split('.').count() == 3 && token.split('.').all(part);
    body.token.filter(formed).ok_or(EksAuthError::Parameter("token"))
}

/// Checks the caller's own policies. This comes before the cluster is looked up, so that a caller without
/// permission does not learn whether it exists.
fn check_permission(caller: &Caller, cluster: &str, now: Timestamp) -> Result<(), EksAuthError> {
    let identity = caller.identity().ok_or(EksAuthError::NoCluster)?;
    let partition = identity.arn.split(':').nth(1).unwrap_or_default();
    let (region, account) = (&caller.region, &identity.account);
    let resource = format!("arn:{partition}:eks:{region}:{account}:cluster/{cluster}");
    let context = caller.context(now);
    let permitted = permission::on_resource(caller, &resource, ACTION, &context);
    permitted.map(|_| ()).map_err(|reason| EksAuthError::NotPermitted {
        caller: identity.arn.clone(),
        resource,
        reason,
    })
}

/// Verifies the token and returns the pod that it is bound to.
fn verified(
    inputs: DecisionInputs<'_>,
    cluster: &Cluster,
    token: &str,
    now: Timestamp,
) -> Result<Pod, EksAuthError> {
    let token = Token::parse(token)?;
    let claims = &token.claims;
    if claims.iss != cluster.issuer.url {
        return Err(EksAuthError::Issuer { actual: claims.iss.clone() });
    }
    inputs.check_signature(&token, &cluster.issuer)?;
    claims.check_audience(&cluster.issuer.client_ids)?;
    claims.check_expiry(now)?;
    claims.check_not_before(now)?;
    Pod::of(claims).map_err(EksAuthError::NotAPod)
}

/// The cluster with that name and issuer.
fn cluster_of<'a>(accounts: &'a Accounts, name: &str, iss: &str) -> Option<&'a Cluster> {
    let mut clusters = accounts.clusters().iter();
    clusters.find(|one| one.arn.name() == name && one.issuer.url == iss)
}
