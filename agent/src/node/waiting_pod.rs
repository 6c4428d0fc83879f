//! A pod that does not start, and the Secret of an annotation that it may lack. Pure.
//!
//! The agent may not read Secrets, so it does not know whether one exists: it knows which ones the pod waits for.

use podrole_identity::{SecretOwner, Secrets, ServiceAccountRef};

/// A pod whose containers have not started, and that needs Secrets for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// What its own annotations ask for.
    pub own: Secrets,
    /// The Secrets without which it does not start.
    pub secrets: Vec<NeededSecret>,
}

/// A Secret without which a pod does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededSecret {
    /// Its name.
    pub name: String,
    /// Whether the kubelet says that it does not exist. Of a volume's Secret it says so in an Event only.
    pub is_missing: bool,
}

impl WaitingPod {
    /// What to tell the pod's owner about the first Secret that an annotation asks for; `None` if the pod
    /// waits for something else.
    #[must_use]
    pub fn advice(&self, service_accounts: &Secrets) -> Option<String> {
        let desired = service_accounts.under(&self.own);
        let (needed, annotation, owner) = self.secrets.iter().find_map(|needed| {
            let mut desired = desired.desired();
            let same = |(_, it): &(_, &podrole_identity::DesiredSecret)| {
                it.secret_name == needed.name && !it.optional
            };
            desired.find(same).map(|(annotation, it)| (needed, annotation, it.owner))
        })?;
        let (name, namespace) = (&needed.name, self.service_account.namespace());
        let owner = match owner {
            SecretOwner::Pod => "this pod".to_owned(),
            SecretOwner::ServiceAccount => format!("ServiceAccount {}", self.service_account),
        };
        let state = if needed.is_missing {
            format!("there is no Secret {name} in namespace {namespace}; create it")
        } else {
            format!(
                "the pod waits for its volumes; if `kubectl get secret {name} -n {namespace}` finds none, create it"
            )
        };
        Some(format!(
            "the annotation {annotation} of {owner} needs the Secret {name}: {state}, or set \
             \"optional\": true in the annotation to start without it"
        ))
    }
}

#[cfg(test)]
mod tests {
    use podrole_identity::{AnnotationPrefix, PodAnnotations, ServiceAccountAnnotations};

    use super::*;

    const DB: (&str, &str) = ("secret.podrole.io/db", "/etc/db");

    fn waiting(own: &[(&str, &str)], names: &[&str]) -> WaitingPod {
        let own = own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let own = PodAnnotations::read(&own.collect(), &AnnotationPrefix::default()).secrets;
        let needed = |name: &&str| NeededSecret { name: (*name).to_owned(), is_missing: false };
        WaitingPod {
            name: "app-1".to_owned(),
            uid: "1".to_owned(),
            service_account: "shop/app".parse().unwrap(),
            own,
            secrets: names.iter().map(needed).collect(),
        }
    }

    fn of_service_account(key: &str, value: &str) -> Secrets {
        let annotations = [(key.to_owned(), value.to_owned())].into();
        ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default()).secrets
    }

    #[test]
    fn the_annotation_that_asks_for_the_secret_is_named() {
        let advice = waiting(&[DB], &["other", "db"]).advice(&Secrets::default()).unwrap();
        for words in
            ["secret.podrole.io/db of this pod", "kubectl get secret db -n shop", "optional"]
        {
            assert!(advice.contains(words), "{advice}");
        }
        let alias = of_service_account("secret.podrole.io/x", r#"{"env":"DB_","secretName":"db"}"#);
        let mut pod = waiting(&[], &["db"]);
        pod.secrets[0].is_missing = true;
        let advice = pod.advice(&alias).unwrap();
        assert!(advice.contains("secret.podrole.io/x of ServiceAccount shop/app"), "{advice}");
        assert!(advice.contains("there is no Secret db in namespace shop; create it"), "{advice}");
    }

    #[test]
    fn a_pod_that_waits_for_something_else_gets_no_advice() {
        assert_eq!(waiting(&[DB], &["other"]).advice(&Secrets::default()), None);
        let optional =
            of_service_account("secret.podrole.io/db", r#"{"env":"DB_","optional":true}"#);
        assert_eq!(waiting(&[], &["db"]).advice(&optional), None);
        assert_eq!(
            waiting(&[("secret.podrole.io/db", "")], &["db"])
                .advice(&of_service_account(DB.0, DB.1)),
            None
        );
    }
}
