//! Parsing a request's pod, and the outcome of one that cannot be decided.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use podrole_identity::{Injection, ServiceAccountRef};
use serde_json::value::RawValue;

use crate::{
    LookupError, Outcome, Reason,
    mutate::mutate_ephemeral,
    pod::{PodHead, PodView},
    review::Request,
};

/// Returns the pod's head, its JSON and its ServiceAccount, or the outcome of a review that does not
/// have them.
pub(super) fn head<'a>(
    request: &Request<'a>,
    injection: Injection,
) -> Result<(PodHead<'a>, &'a str, ServiceAccountRef), Outcome> {
    let object = request.object.ok_or_else(|| unreadable("the review has no pod"))?;
    let head = PodHead::read(object.get()).map_err(|error| unreadable(&error.to_string()))?;
    if injection == Injection::Enabled && head.opted_out() {
        return Err(Outcome::skip(Reason::OptedOut));
    }
    let namespace = request.namespace.as_deref().unwrap_or_default();
    let service_account = ServiceAccountRef::new(namespace, head.service_account())
        .map_err(|error| unreadable(&error.to_string()))?;
    Ok((head, object.get(), service_account))
}

/// Ephemeral containers are never denied: a debugger is needed most when something is broken.
pub(super) fn debug(request: &Request<'_>, injection: Injection) -> Result<Outcome, Outcome> {
    let unreadable = |error: &str| Outcome::skip_with(Reason::DebugUnreadable, error);
    let read = |json: Option<&RawValue>| {
        let json = json.ok_or_else(|| unreadable("the review has no pod"))?.get();
        PodView::read(json).map_err(|error| unreadable(&error.to_string()))
    };
    let (pod, old) = (read(request.object)?, read(request.old_object)?);
    if injection == Injection::Enabled && pod.opted_out() {
        return Err(Outcome::skip(Reason::OptedOut));
    }
    Ok(mutate_ephemeral(&pod, &old))
}

pub(crate) fn unreadable(error: &str) -> Outcome {
    Outcome::skip_with(Reason::Unreadable, format!("no credentials added: {error}"))
}

pub(super) fn unknown(error: LookupError) -> Outcome {
    let reason = match error {
        LookupError::Unsynced => Reason::Unsynced,
        LookupError::Failed
        | LookupError::Association
        | LookupError::TooSlow
        | LookupError::AssociationTooSlow
        | LookupError::Busy
        | LookupError::Namespace => Reason::LookupFailed,
    };
    Outcome::skip_with(reason, format!("no credentials added: {error}"))
}

/// A number that differs from pod to pod. It is derived from the review's uid, which is random, so
/// that a retried review gets the same answer.
pub(super) fn jitter(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}
