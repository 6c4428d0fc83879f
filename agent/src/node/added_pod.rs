//! A pod when it is first seen on the node, and whether it has a credential provider.

use podrole_identity::{Association, ServiceAccountRef};

use crate::resolve::{NamespaceFacts, ServiceAccountFacts};

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

/// Whether a pod without a credential provider should have one: its namespace asks for injection,
/// and its ServiceAccount has a role that the namespace permits.
#[must_use]
pub fn lacks_injection(
    namespace: &NamespaceFacts,
    account: &ServiceAccountFacts,
    association: Option<&Association>,
) -> bool {
    let annotations = &account.annotations;
    let role = association.and_then(|it| it.role.as_ref()).or(annotations.role.as_ref());
    let permitted = role.is_none_or(|role| namespace.permitted.permits(role));
    // If the owner chose among the containers, having none injected may be the choice.
    let chosen =
        !annotations.skip_containers.is_empty() || !annotations.include_containers.is_empty();
    let named = association.is_some() || role.is_some();
    namespace.asks_for_injection && named && permitted && !chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_identity::{
        AnnotationPrefix, AssociationList, PermittedRoles, ServiceAccountAnnotations,
    };

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";

    fn account(annotations: &[(&str, &str)]) -> ServiceAccountFacts {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let annotations = annotations.iter().map(owned).collect();
        ServiceAccountFacts {
            annotations: ServiceAccountAnnotations::read(
                &annotations,
                &AnnotationPrefix::default(),
            ),
            ..ServiceAccountFacts::default()
        }
    }

    fn namespace(permitted: Option<&str>) -> NamespaceFacts {
        NamespaceFacts { permitted: PermittedRoles::read(permitted), asks_for_injection: true }
    }

    #[test]
    fn a_pod_whose_service_account_has_a_role_lacks_injection() {
        let named = account(&[("eks.amazonaws.com/role-arn", ROLE)]);
        assert!(lacks_injection(&namespace(None), &named, None));
        assert!(lacks_injection(&namespace(Some(ROLE)), &named, None));
        let list = r#"{"identities":[{"namespace":"shop","serviceAccount":"app"}]}"#;
        let list = AssociationList::read(list).unwrap();
        let association = list.find(&"shop/app".parse().unwrap());
        assert!(lacks_injection(&namespace(None), &account(&[]), association));
    }

    #[test]
    fn a_pod_that_should_have_no_provider_lacks_nothing() {
        let named = ("eks.amazonaws.com/role-arn", ROLE);
        let unlabelled = NamespaceFacts { asks_for_injection: false, ..namespace(None) };
        assert!(!lacks_injection(&unlabelled, &account(&[named]), None));
        assert!(!lacks_injection(&namespace(None), &account(&[]), None), "no role");
        let other = "arn:aws:iam::111122223333:role/other";
        assert!(
            !lacks_injection(&namespace(Some(other)), &account(&[named]), None),
            "not permitted"
        );
        for chosen in ["eks.amazonaws.com/skip-containers", "podrole.io/include-containers"] {
            let account = account(&[named, (chosen, "a")]);
            assert!(!lacks_injection(&namespace(None), &account, None), "{chosen}");
        }
        let nonsense = account(&[("eks.amazonaws.com/role-arn", "my-role")]);
        assert!(!lacks_injection(&namespace(None), &nonsense, None));
    }
}
