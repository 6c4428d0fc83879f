//! A pod when it is first seen on the node, and whether it has a credential provider.

use podrole_identity::{CredentialProvider, Facts, GrantRules, ServiceAccountRef, grant};

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

/// Whether the webhook would have injected a pod that has no provider.
#[must_use]
pub fn lacks_injection(facts: &Facts<'_>, rules: &GrantRules) -> bool {
    let annotations = facts.sources.annotations;
    // The owner chose among the containers, and may have chosen none of this pod's.
    let chosen =
        !annotations.skip_containers.is_empty() || !annotations.include_containers.is_empty();
    let is_injected = match grant(facts, rules) {
        Ok(grant) => grant.is_some(),
        Err(denial) => denial.provider == CredentialProvider::Container,
    };
    facts.namespace.injection.is_some() && is_injected && !chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_identity::{
        AnnotationRules, AssociationList, Injection, NamespaceFacts, PermittedRoles, Sources,
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
            let facts =
                Facts { service_account: &service_account, sources, namespace, provider: None };
            lacks_injection(&facts, &GrantRules::default())
        }
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
        let mut unlabelled = world(&[NAMED]);
        unlabelled.namespace.injection = None;
        assert!(!unlabelled.lacks_injection());
        assert!(!world(&[]).lacks_injection(), "no role");
        assert!(!world(&[NAMED]).permitting("").lacks_injection(), "not permitted");
        for chosen in ["eks.amazonaws.com/skip-containers", "podrole.io/include-containers"] {
            assert!(!world(&[NAMED, (chosen, "a")]).lacks_injection(), "{chosen}");
        }
        assert!(!world(&[("eks.amazonaws.com/role-arn", "my-role")]).lacks_injection());
    }
}
