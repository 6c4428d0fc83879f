//! The pod that a token is bound to.

use podrole_identity::ServiceAccountRef;
use serde::Deserialize;

use crate::token::Claims;

/// The pod and its ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) account: ServiceAccountRef,
    pub(super) name: String,
    pub(super) uid: String,
}

/// Kubernetes's claim `kubernetes.io`.
#[derive(Deserialize)]
struct Kubernetes {
    namespace: String,
    serviceaccount: NamedUid,
    pod: NamedUid,
}

#[derive(Deserialize)]
struct NamedUid {
    name: String,
    uid: String,
}

/// Why a token is not bound to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PodClaimError {
    #[error("the token has no claim kubernetes.io")]
    Missing,
    #[error("the token's claim kubernetes.io does not name a pod")]
    NoPod,
    #[error("the token's claim kubernetes.io does not name a ServiceAccount")]
    NoServiceAccount,
    #[error("the token's sub is not the ServiceAccount in its claim kubernetes.io")]
    Subject,
    #[error("the token's claim kubernetes.io has a pod name that Kubernetes does not allow")]
    PodName,
}

impl Pod {
    /// Reads the pod from the claims of a verified token.
    pub(super) fn of(claims: &Claims) -> Result<Self, PodClaimError> {
        let claim = claims.kubernetes.clone().ok_or(PodClaimError::Missing)?;
        let claim = serde_json::from_value(claim);
        let Kubernetes { namespace, serviceaccount, pod } =
            claim.map_err(|_| PodClaimError::NoPod)?;
        let account = ServiceAccountRef::new(&namespace, &serviceaccount.name)
            .map_err(|_| PodClaimError::NoServiceAccount)?;
        if claims.sub != account.subject() {
            return Err(PodClaimError::Subject);
        }
        if pod.name.is_empty() || pod.uid.is_empty() || serviceaccount.uid.is_empty() {
            return Err(PodClaimError::NoPod);
        }
        Ok(Self { account, name: pod.name, uid: pod.uid })
    }
}
