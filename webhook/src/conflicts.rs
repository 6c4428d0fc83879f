//! Other webhooks that would inject into the same pods. Pure: from the registered configurations.
//!
//! EKS's webhook beside podrole is supported, because clusters migrate through that state; it is
//! logged and counted. A second podrole is a mistake of the installation: both would rotate their
//! CA, and which of them a pod meets first would depend on their names. The newer one exits with an
//! error, and the older one is not disturbed.

use std::time::Duration;

use crate::selector::Selector;

/// A MutatingWebhookConfiguration, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its name.
    pub name: String,
    /// Its creationTimestamp, in seconds since 1970.
    pub created: i64,
    /// Its webhooks.
    pub entries: Vec<Entry>,
}

/// One of its webhooks.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The URL path that the API server calls.
    pub path: String,
    /// Whether its rules include the creation of pods.
    pub matches_new_pods: bool,
    /// The namespaces whose pods it is for.
    pub namespaces: Selector,
    /// The host name that the API server calls and verifies.
    pub host: String,
    /// The CAs that the API server trusts for `host`, PEM; empty for its system roots.
    pub ca_bundle: String,
    /// How long API servers wait for an answer.
    pub timeout: Duration,
}

/// Another webhook that injects into pods of our namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The name of its configuration.
    pub configuration: String,
    /// What it belongs to.
    pub kind: ConflictKind,
    /// Whether it was created before ours.
    pub older: bool,
}

/// What another webhook belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// EKS's webhook, under any of its packagings' names.
    Eks,
    /// A podrole that is installed under another name.
    Podrole,
}

/// Finds the conflicts of the configuration `own`. Returns `None` if `own` is not registered,
/// because its namespaces are unknown then.
#[must_use]
pub fn find(own: &str, all: &[Registered]) -> Option<Vec<Conflict>> {
    let ours = all.iter().find(|registered| registered.name == own)?;
    let conflicts = all.iter().filter(|other| other.name != own).filter_map(|other| {
        let overlaps = |entry: &&Entry| {
            entry.matches_new_pods
                && ours.entries.iter().any(|own| own.namespaces.may_overlap(&entry.namespaces))
        };
        let mut kinds = other.entries.iter().filter(overlaps).filter_map(|it| kind(other, it));
        // Names break the tie of two that were created in the same second, so that exactly one
        // of them yields.
        let older = (other.created, &other.name) < (ours.created, &ours.name);
        Some(Conflict { configuration: other.name.clone(), kind: kinds.next()?, older })
    });
    Some(conflicts.collect())
}

impl Registered {
    /// Its webhooks that podrole answers, by whichever name it is installed.
    pub fn of_podrole(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| kind(self, entry) == Some(ConflictKind::Podrole))
    }
}

/// What an entry belongs to; `None` for a webhook that does not inject AWS credentials.
fn kind(of: &Registered, entry: &Entry) -> Option<ConflictKind> {
    if entry.name.ends_with(".podrole.io") || entry.path.ends_with("/mutate/required") {
        return Some(ConflictKind::Podrole);
    }
    let eks = entry.name.ends_with("pod-identity-webhook.amazonaws.com")
        || entry.name == "iam-for-pods.amazonaws.com"
        || of.name.contains("pod-identity-webhook");
    eks.then_some(ConflictKind::Eks)
}

impl Conflict {
    /// Whether this process has to exit in its favour.
    #[must_use]
    pub fn has_precedence(&self) -> bool {
        self.kind == ConflictKind::Podrole && self.older
    }

    /// What is wrong and how to fix it, for the log.
    #[must_use]
    pub fn sentence(&self, own: &str) -> String {
        let other = &self.configuration;
        match self.kind {
            ConflictKind::Eks => format!(
                "MutatingWebhookConfiguration {other} is EKS's webhook and selects pods of the \
                 same namespaces as {own}; each leaves alone what the other has injected; once \
                 every workload has moved, run: kubectl delete mutatingwebhookconfiguration {other}"
            ),
            ConflictKind::Podrole => format!(
                "another podrole selects pods of the same namespaces: \
                 MutatingWebhookConfiguration {other} beside {own}; uninstall one of them, or give \
                 each its own namespaces with namespaceSelector"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::{Condition, Requirement};

    fn entry(name: &str, path: &str, label: &str) -> Entry {
        let condition = Condition::In(vec![label.to_owned()]);
        let needs = (!label.is_empty()).then(|| Requirement { key: "injection".into(), condition });
        let namespaces = Selector(needs.into_iter().collect());
        Entry {
            name: name.into(),
            path: path.into(),
            matches_new_pods: true,
            namespaces,
            host: String::new(),
            ca_bundle: String::new(),
            timeout: Duration::from_secs(3),
        }
    }

    fn registered(name: &str, created: i64, entry: Entry) -> Registered {
        Registered { name: name.into(), created, entries: vec![entry] }
    }

    fn ours() -> Registered {
        registered("podrole", 50, entry("enabled.podrole.io", "/mutate", "enabled"))
    }

    fn found(other: Registered) -> Vec<(ConflictKind, bool)> {
        let conflicts = find("podrole", &[ours(), other]).unwrap();
        conflicts.iter().map(|it| (it.kind, it.has_precedence())).collect()
    }

    #[test]
    fn ekss_webhook_is_recognized_by_its_names_and_never_has_precedence() {
        for (configuration, name) in [
            ("x", "pod-identity-webhook.amazonaws.com"),
            ("x", "iam-for-pods.amazonaws.com"),
            ("release-amazon-eks-pod-identity-webhook", "x"),
        ] {
            let other = registered(configuration, 1, entry(name, "/mutate", ""));
            assert_eq!(found(other), [(ConflictKind::Eks, false)], "{configuration} {name}");
        }
        assert_eq!(found(registered("x", 1, entry("vault.hashicorp.com", "/mutate", ""))), []);
    }

    #[test]
    fn of_two_podroles_for_the_same_namespaces_the_newer_one_exits() {
        for (created, first) in [(1, true), (99, false)] {
            for (name, path) in [("enabled.podrole.io", "/mutate"), ("x", "/mutate/required")] {
                let other = registered("second", created, entry(name, path, "enabled"));
                assert_eq!(found(other), [(ConflictKind::Podrole, first)], "{name} {created}");
            }
        }
        // Of two that were created in the same second exactly one exits.
        let (one, two) = (registered("a", 7, ours().entries[0].clone()), ours());
        let two = Registered { created: 7, ..two };
        let found = ["a", "podrole"].map(|own| find(own, &[one.clone(), two.clone()]).unwrap());
        assert_eq!(found.iter().flatten().filter(|it| it.has_precedence()).count(), 1);
    }

    #[test]
    fn other_namespaces_and_other_objects_are_no_conflict() {
        let other = entry("enabled.podrole.io", "/mutate", "elsewhere");
        assert_eq!(found(registered("second", 1, other)), []);
        let other = Entry { matches_new_pods: false, ..ours().entries[0].clone() };
        assert_eq!(found(registered("second", 1, other)), []);
        assert_eq!(find("podrole", &[registered("x", 1, ours().entries[0].clone())]), None);
    }

    #[test]
    fn the_sentence_names_the_other_webhook_and_a_fix() {
        for (kind, fix) in [
            (ConflictKind::Eks, "kubectl delete"),
            (ConflictKind::Podrole, "uninstall one of them"),
        ] {
            let conflict = Conflict { configuration: "other".into(), kind, older: true };
            let sentence = conflict.sentence("podrole");
            assert!(sentence.contains("other") && sentence.contains(fix), "{sentence}");
        }
    }
}
