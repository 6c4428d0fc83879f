//! EKS Auth: a node's credentials and a pod's token become the credentials of the role that an
//! association names.
//!
//! ```text
//!   Call ─► caller: may it? ─► token: whose pod? ─► association ─► role_step as the service
//!                                                                  └─► role_step on to the target role
//! ```
//!
//! Source: the service's own model and EKS's user guide, for shapes, codes, tags and lives.

mod error;
mod pod;
mod response;
mod role;
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
/// What the API's names must be.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 1..=100;

/// The body of a call. Members that are not inputs here are let be: the agents of EKS send more.
#[derive(Deserialize)]
struct Body {
    token: Option<String>,
}

/// A yes: the last role_step, and whose it is.
struct PodIdentity {
    granted: role_step::GrantedSession,
    pod: Pod,
    association: (String, String),
}

impl Sandbox {
    /// Answers a call for a cluster's pod.
    pub(crate) fn pod_identity(
        &self,
        call: &Call<'_>,
        cluster: &str,
        now: Timestamp,
    ) -> JsonResponse {
        let request_id = random::uuid().unwrap_or_default();
        let written = self.decide_pod_identity(call, cluster, now).and_then(|done| {
            let session = role_step::issue(&done.granted, now)?;
            let body = write(&done.pod, &done.association, &session);
            let role = session.identity.owner_arn().to_owned();
            self.sessions().keep(session, now);
            Ok((body, role, format!("{} for {}", done.granted.reason, done.pod.account)))
        });
        let error = written.as_ref().err();
        self.write(Decision {
            at: now,
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
            Ok((body, ..)) => JsonResponse::yes(body, request_id),
            Err(error) => JsonResponse::no(&error, request_id),
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

/// Decides for a caller that may ask, in a cluster that is there.
fn decide(
    inputs: DecisionInputs<'_>,
    cluster: &Cluster,
    token: &str,
    uuid: &str,
    now: Timestamp,
) -> Result<PodIdentity, EksAuthError> {
    let pod = believed(inputs, cluster, token, now)?;
    let association = cluster.association(&pod.account);
    let association =
        association.ok_or_else(|| EksAuthError::NoAssociation(pod.account.clone()))?;
    let step = role::PodRole { inputs, cluster, association, pod: &pod, uuid };
    let granted = step.decide(now)?;
    let association = (cluster.association_arn(association), cluster.association_id(association));
    Ok(PodIdentity { granted, pod, association })
}

/// The token and nothing else, both of the form that the API asks for.
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

/// The caller's own policies let it ask. It learns nothing of clusters that it may not ask about.
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

/// The pod that a token was made for, once the token is believed.
fn believed(
    inputs: DecisionInputs<'_>,
    cluster: &Cluster,
    token: &str,
    now: Timestamp,
) -> Result<Pod, EksAuthError> {
    let token = Token::parse(token)?;
    let claims = &token.claims;
    if claims.iss != cluster.issuer.url {
        return Err(EksAuthError::Issuer { held: claims.iss.clone() });
    }
    inputs.check_signature(&token, &cluster.issuer)?;
    claims.check_audience(&cluster.issuer.client_ids)?;
    claims.check_expiry(now)?;
    claims.check_not_before(now)?;
    Pod::of(claims).map_err(EksAuthError::NotAPod)
}

/// The cluster of that name whose tokens that issuer makes.
fn cluster_of<'a>(accounts: &'a Accounts, name: &str, iss: &str) -> Option<&'a Cluster> {
    let mut clusters = accounts.clusters().iter();
    clusters.find(|one| one.arn.name() == name && one.issuer.url == iss)
}
