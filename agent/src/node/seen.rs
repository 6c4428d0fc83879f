//! A pod of this node when it is first seen: how it will come to credentials, if at all.

use podrole_identity::{CredentialProvider, Facts, GrantRules, ServiceAccountRef, grant};

/// A pod that is new here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The way that its containers have.
    pub way: Way,
}

/// How a pod's containers come to credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They ask this agent.
    Agent,
    /// They have another way, or their owner wants none.
    Own,
    /// They have none.
    None,
}

/// Whether the webhook would have injected a pod that has no provider.
#[must_use]
pub fn was_missed(facts: &Facts<'_>, rules: &GrantRules) -> bool {
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

        fn was_missed(&self) -> bool {
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
            was_missed(&facts, &GrantRules::default())
        }
    }

    #[test]
    fn a_pod_that_the_webhook_would_inject_was_missed() {
        assert!(world(&[NAMED]).was_missed());
        assert!(world(&[NAMED]).permitting(ROLE).was_missed());
        let mut listed = world(&[]);
        let entry = format!(r#"{{"namespace":"shop","serviceAccount":"app","roleArn":"{ROLE}"}}"#);
        listed.list = AssociationList::read(&format!(r#"{{"identities":[{entry}]}}"#)).unwrap();
        assert!(listed.was_missed());
        let denied = world(&[NAMED, ("podrole.io/credentials", "container")]).permitting("");
        assert!(denied.was_missed(), "a denied pod of the provider container is injected");
    }

    #[test]
    fn a_pod_that_the_webhook_would_leave_alone_was_not_missed() {
        let mut unlabelled = world(&[NAMED]);
        unlabelled.namespace.injection = None;
        assert!(!unlabelled.was_missed());
        assert!(!world(&[]).was_missed(), "no role");
        assert!(!world(&[NAMED]).permitting("").was_missed(), "not permitted");
        for chosen in ["eks.amazonaws.com/skip-containers", "podrole.io/include-containers"] {
            assert!(!world(&[NAMED, (chosen, "a")]).was_missed(), "{chosen}");
        }
        assert!(!world(&[("eks.amazonaws.com/role-arn", "my-role")]).was_missed());
    }
}
