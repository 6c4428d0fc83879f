//! The pod that a token is bound to.

use podrole_identity::ServiceAccountRef;
use serde::Deserialize;

use crate::token::Claims;

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) account: ServiceAccountRef,
    pub(super) name: String,
    pub(super) uid: String,
}

/// Kubernetes' own claim.
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

impl Pod {
    /// The pod of a token that is believed; else what the token lacks.
    pub(super) fn of(claims: &Claims) -> Result<Self, &'static str> {
        let claim = claims.kubernetes.clone().ok_or("it has no claim kubernetes.io")?;
        let claim = serde_json::from_value(claim);
        let Kubernetes { namespace, serviceaccount, pod } =
            claim.map_err(|_| "its claim kubernetes.io names no pod")?;
        let account = ServiceAccountRef::new(&namespace, &serviceaccount.name)
            .map_err(|_| "its claim kubernetes.io names no ServiceAccount")?;
        if claims.sub != account.subject() {
            return Err("its sub is not the ServiceAccount of its claim kubernetes.io");
        }
        if pod.name.is_empty() || pod.uid.is_empty() || serviceaccount.uid.is_empty() {
            return Err("its claim kubernetes.io names no pod");
        }
        Ok(Self { account, name: pod.name, uid: pod.uid })
    }
}
