//! Which ServiceAccount each role of `--auto-roles` was made for.

use podrole_identity::{RoleArn, ServiceAccountRef};
use serde::{Deserialize, Serialize};

/// Maximum bytes of the list. An object has 1 MiB at most, and this text is a JSON string in it, with escapes.
const MAX_BYTES: usize = 300_000;

/// A role, and the ServiceAccount that its trust policy names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Binding {
    pub(crate) role: RoleArn,
    pub(crate) service_account: ServiceAccountRef,
    /// The URL of the issuer of its token.
    pub(crate) issuer: String,
    /// The audience of its token.
    pub(crate) audience: String,
}

/// All bindings, oldest first. A role, by account and name, has one.
#[derive(Debug, Default)]
pub(super) struct Bindings(Vec<Binding>);

impl Bindings {
    pub(super) fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }

    /// `None` if they are too many for one object.
    pub(super) fn write(&self) -> Option<String> {
        // One line for each, for people who read the object.
        let lines: Result<Vec<_>, _> = self.0.iter().map(serde_json::to_string).collect();
        let text = format!("[\n{}\n]\n", lines.ok()?.join(",\n"));
        (text.len() <= MAX_BYTES).then_some(text)
    }

    /// Adds a binding. Returns `false` if its role has one already, which stays.
    pub(super) fn add(&mut self, new: &Binding) -> bool {
        // Role names are unique in an account, whatever their paths.
        let key = |one: &Binding| (one.role.account().to_owned(), one.role.name().to_owned());
        let is_new = !self.0.iter().any(|one| key(one) == key(new));
        if is_new {
            self.0.push(new.clone());
        }
        is_new
    }

    /// How many roles were made for the ServiceAccount.
    pub(super) fn roles_of(&self, service_account: &ServiceAccountRef) -> usize {
        self.0.iter().filter(|one| one.service_account == *service_account).count()
    }

    pub(super) fn into_list(self) -> Vec<Binding> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(role: &str, service_account: &str) -> Binding {
        Binding {
            role: format!("arn:aws:iam::111122223333:role/{role}").parse().unwrap(),
            service_account: service_account.parse().unwrap(),
            issuer: "https://oidc.example".to_owned(),
            audience: "sts.amazonaws.com".to_owned(),
        }
    }

    #[test]
    fn the_first_service_account_keeps_the_role() {
        let mut bindings = Bindings::default();
        assert!(bindings.add(&binding("app", "shop/app")));
        assert!(!bindings.add(&binding("app", "shop/stranger")));
        assert!(!bindings.add(&binding("another/path/app", "shop/stranger")));
        assert!(bindings.add(&binding("other", "shop/stranger")));
        assert_eq!(bindings.roles_of(&"shop/app".parse().unwrap()), 1);
        let read = Bindings::read(&bindings.write().unwrap()).unwrap().into_list();
        assert_eq!(read, [binding("app", "shop/app"), binding("other", "shop/stranger")]);
        assert!(Bindings::read(&Bindings::default().write().unwrap()).unwrap().0.is_empty());
        assert!(Bindings::read("{}").is_err());
    }

    #[test]
    fn their_number_is_limited_by_the_size_of_an_object() {
        let mut bindings = Bindings::default();
        let mut number = 0;
        while bindings.write().is_some() {
            bindings.add(&binding(&format!("role-{number}"), "shop/app"));
            number += 1;
        }
        assert!(number > 1000, "{number}");
    }
}
