//! A pod of this node when it is first seen: how it will come to credentials, if at all.

use podrole_identity::{Association, ServiceAccountRef};

use crate::resolve::{NamespaceFacts, ServiceAccountFacts};

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

/// Whether a pod without a way should have been given one: its namespace asks for that, and its
/// ServiceAccount names a role that the namespace permits.
#[must_use]
pub fn was_missed(
    namespace: &NamespaceFacts,
    account: &ServiceAccountFacts,
    association: Option<&Association>,
) -> bool {
    let said = &account.annotations;
    let role = association.and_then(|it| it.role.as_ref()).or(said.role.as_ref());
    let permitted = role.is_none_or(|role| namespace.permitted.permits(role));
    // Where the owner chose among the containers, none may be what was chosen.
    let chosen = !said.skip_containers.is_empty() || !said.include_containers.is_empty();
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
    fn a_pod_of_an_account_that_names_a_role_was_missed() {
        let named = account(&[("eks.amazonaws.com/role-arn", ROLE)]);
        assert!(was_missed(&namespace(None), &named, None));
        assert!(was_missed(&namespace(Some(ROLE)), &named, None));
        let list = r#"{"identities":[{"namespace":"shop","serviceAccount":"app"}]}"#;
        let list = AssociationList::read(list).unwrap();
        let association = list.find(&"shop/app".parse().unwrap());
        assert!(was_missed(&namespace(None), &account(&[]), association));
    }

    #[test]
    fn a_pod_that_nobody_wanted_to_have_one_was_not() {
        let named = ("eks.amazonaws.com/role-arn", ROLE);
        let unlabelled = NamespaceFacts { asks_for_injection: false, ..namespace(None) };
        assert!(!was_missed(&unlabelled, &account(&[named]), None));
        assert!(!was_missed(&namespace(None), &account(&[]), None), "no identity");
        let other = "arn:aws:iam::111122223333:role/other";
        assert!(!was_missed(&namespace(Some(other)), &account(&[named]), None), "not permitted");
        for chosen in ["eks.amazonaws.com/skip-containers", "podrole.io/include-containers"] {
            let account = account(&[named, (chosen, "a")]);
            assert!(!was_missed(&namespace(None), &account, None), "{chosen}");
        }
        let nonsense = account(&[("eks.amazonaws.com/role-arn", "my-role")]);
        assert!(!was_missed(&namespace(None), &nonsense, None));
    }
}
