//! A pod when it is first seen on the node.

use jiff::{SignedDuration, Timestamp};
use podrole_identity::{PodShape, ServiceAccountRef};

use super::waiting_pod::WaitingPod;

/// A pod that was added to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// Its credential provider.
    pub provider: PodProvider,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// How old a pod may be that gets an Event about its namespace. For a pod that was there before the agent it says nothing
/// new, and an agent that starts must not look up the ServiceAccounts of every pod.
const NEW: SignedDuration = SignedDuration::from_mins(2);

impl AddedPod {
    /// Whether to look for the role that a pod does not get because its namespace has no label. Only a few pods of
    /// such namespaces have a role, so their look-ups must be few: none for the ServiceAccount `default`.
    #[must_use]
    pub fn may_expect_a_role(&self, now: Timestamp) -> bool {
        let is_new = self.created.is_some_and(|created| now.duration_since(created).abs() < NEW);
        is_new && self.service_account.name() != "default"
    }
}

/// What the watch of the node's pods shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodChange {
    /// A pod is there for the first time.
    Added(AddedPod),
    /// A pod was there when the watch began.
    Earlier(AddedPod),
    /// The pod of this UID has ended. It comes after what came before of the pod.
    Gone(String),
    /// A pod has waited long for Secrets.
    Waiting(WaitingPod),
}

/// A pod's credential provider, from this agent's point of view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodProvider {
    /// The agent.
    Agent,
    /// Another one, or credentials of the pod's own.
    Other,
    /// None, and what decides whether it should have one.
    None(PodShape),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    #[test]
    fn only_new_pods_with_a_service_account_of_their_own_may_expect_a_role() {
        let pod = |account: &str, created| AddedPod {
            name: "app-1".to_owned(),
            uid: "1".to_owned(),
            service_account: account.parse().unwrap(),
            provider: PodProvider::Other,
            created,
        };
        assert!(pod("shop/app", Some(at(0))).may_expect_a_role(at(119)));
        assert!(!pod("shop/app", Some(at(0))).may_expect_a_role(at(120)));
        assert!(!pod("shop/app", None).may_expect_a_role(at(0)));
        assert!(!pod("shop/default", Some(at(0))).may_expect_a_role(at(0)));
    }
}
