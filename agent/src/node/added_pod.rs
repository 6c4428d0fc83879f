//! A pod when it is first seen on the node, and whether it has a credential provider.

use jiff::{SignedDuration, Timestamp};
use podrole_identity::{
    CredentialProvider, Facts, GrantRules, ServiceAccountRef, grant, injected_provider,
};

use super::{obstacle::Obstacle, waiting_pod::WaitingPod};

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
    /// What of its own keeps the webhook from injecting it.
    pub obstacles: Vec<Obstacle>,
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
    /// A pod has waited long for Secrets.
    Waiting(WaitingPod),
}

/// A pod's credential provider, from this agent's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodProvider {
    /// The agent.
    Agent,
    /// Another one, or the pod's owner opted out.
    Other,
    /// None.
    None,
}

/// The provider that the webhook would have injected into a pod that has none, if its namespace has opted in.
#[must_use]
pub fn missing_provider(facts: &Facts<'_>, rules: &GrantRules) -> Option<CredentialProvider> {
    let annotations = facts.sources.annotations;
    // The owner chose among the containers, and may have chosen none of this pod's.
    let chosen =
        !annotations.skip_containers.is_empty() || !annotations.include_containers.is_empty();
    let granted = grant(facts, rules);
    let provider = injected_provider(&granted, facts.namespace);
    let injected = granted.is_ok() || provider == Some(CredentialProvider::Container);
    provider.filter(|_| injected && !chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;
    use podrole_identity::{
        AnnotationRules, AssociationList, Guardrails, Injection, Labels, NamespaceFacts, Patterns,
        PermittedRoles, Sources,
    };

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";
    const NAMED: (&str, &str) = ("eks.amazonaws.com/role-arn", ROLE);

    struct World {
        annotations: Vec<(&'static str, &'static str)>,
        list: AssociationList,
        namespace: NamespaceFacts,
    }

    fn world(annotations: &[(&'static str, &'static str)]) -> World {
        let injection = Some(Injection::Enabled);
        let namespace = NamespaceFacts { injection, ..NamespaceFacts::default() };
        World { annotations: annotations.to_vec(), list: AssociationList::default(), namespace }
    }

    impl World {
        fn permitting(mut self, roles: &str) -> Self {
            self.namespace.permitted = PermittedRoles::read(Some(roles));
            self
        }

        fn lacks_injection(&self) -> bool {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let annotations = self.annotations.iter().map(owned).collect();
            let annotations = AnnotationRules::default().read(annotations);
            let service_account = "shop/app".parse().unwrap();
            let sources = Sources {
                association: None,
                listed: self.list.find(&service_account),
                annotations: &annotations,
                role_map: None,
            };
            let namespace = &self.namespace;
            let facts = Facts {
                service_account: &service_account,
                labels: &Labels::new(),
                sources,
                patterns: Patterns::none(),
                guardrails: Guardrails::none(),
                namespace,
                provider: None,
            };
            missing_provider(&facts, &GrantRules::default()).is_some()
        }
    }

    #[test]
    fn only_new_pods_with_a_service_account_of_their_own_may_expect_a_role() {
        let pod = |account: &str, created| AddedPod {
            name: "app-1".to_owned(),
            uid: "1".to_owned(),
            service_account: account.parse().unwrap(),
            provider: PodProvider::None,
            obstacles: Vec::new(),
            created,
        };
        assert!(pod("shop/app", Some(at(0))).may_expect_a_role(at(119)));
        assert!(!pod("shop/app", Some(at(0))).may_expect_a_role(at(120)));
        assert!(!pod("shop/app", None).may_expect_a_role(at(0)));
        assert!(!pod("shop/default", Some(at(0))).may_expect_a_role(at(0)));
    }

    #[test]
    fn a_pod_that_the_webhook_would_inject_lacks_injection() {
        assert!(world(&[NAMED]).lacks_injection());
        assert!(world(&[NAMED]).permitting(ROLE).lacks_injection());
        let mut listed = world(&[]);
        let entry = format!(r#"{{"namespace":"shop","serviceAccount":"app","roleArn":"{ROLE}"}}"#);
        listed.list = AssociationList::read(&format!(r#"{{"identities":[{entry}]}}"#)).unwrap();
        assert!(listed.lacks_injection());
        let denied = world(&[NAMED, ("podrole.io/credentials", "container")]).permitting("");
        assert!(denied.lacks_injection(), "a denied pod of the provider container is injected");
    }

    #[test]
    fn a_pod_that_the_webhook_would_not_inject_lacks_nothing() {
        assert!(!world(&[]).lacks_injection(), "no role");
        assert!(!world(&[NAMED]).permitting("").lacks_injection(), "not permitted");
        for chosen in ["eks.amazonaws.com/skip-containers", "podrole.io/include-containers"] {
            assert!(!world(&[NAMED, (chosen, "a")]).lacks_injection(), "{chosen}");
        }
        assert!(!world(&[("eks.amazonaws.com/role-arn", "my-role")]).lacks_injection());
    }
}
