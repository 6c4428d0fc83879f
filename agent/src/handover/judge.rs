//! Whether a process may take the sockets over. Pure.

use super::{agreement::Agreement, refusal::HandoverRefusal};
use crate::{node::PodFacts, token::Caller};

/// Checks that a valid token is of another pod of the agent's own ServiceAccount.
pub(super) fn check_tokens(ours: &Caller, theirs: &Caller) -> Result<(), HandoverRefusal> {
    if theirs.service_account != ours.service_account {
        return Err(HandoverRefusal::OtherServiceAccount {
            ours: ours.service_account.clone(),
            theirs: theirs.service_account.clone(),
        });
    }
    if theirs.service_account_uid != ours.service_account_uid {
        return Err(HandoverRefusal::EarlierServiceAccount(ours.service_account.clone()));
    }
    if theirs.pod_uid == ours.pod_uid {
        return Err(HandoverRefusal::SamePod);
    }
    Ok(())
}

/// Checks that both agents serve alike. A new pod of the same DaemonSet may differ: then the
/// DaemonSet is being updated, which would never end if the old agent refused the new release.
pub(super) fn check_agreement(
    ours: (&Agreement, Option<&PodFacts>),
    theirs: (&Agreement, &PodFacts),
) -> Result<(), HandoverRefusal> {
    let Some(difference) = ours.0.difference(theirs.0) else {
        return Ok(());
    };
    let controller = ours.1.and_then(|pod| pod.controller.as_ref());
    if controller.is_some() && controller == theirs.1.controller.as_ref() {
        return Ok(());
    }
    Err(HandoverRefusal::Different(difference))
}
