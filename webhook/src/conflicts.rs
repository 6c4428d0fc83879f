//! Who else would inject into the pods that we inject into. Pure: from what is registered.
//!
//! EKS's webhook beside ours is a supported case (that is how people come to podrole), so it is
//! told and counted. Another podrole is a mistake of whoever installed the second one: it would
//! heal and rotate beside the first, and which of them a pod meets would be a matter of names. The
//! one that came later says so and ends; the first is not disturbed.

use crate::selector::Selector;

/// A MutatingWebhookConfiguration, as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) name: String,
    /// When it was made, in seconds.
    pub(crate) made: i64,
    pub(crate) entries: Vec<Entry>,
}

/// One webhook of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// The path that is called.
    pub(crate) path: String,
    /// Whether new pods are shown to it.
    pub(crate) takes_new_pods: bool,
    /// The namespaces whose pods are.
    pub(crate) namespaces: Selector,
    /// By which name it is called.
    pub(crate) host: String,
    /// Whom the API server trusts there, PEM; empty where it asks its own machine.
    pub(crate) bundle: String,
}

/// Another webhook that injects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rival {
    pub(crate) configuration: String,
    pub(crate) kind: Kind,
    /// It was there before us.
    pub(crate) older: bool,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The webhook that EKS runs, and its many packagings.
    Eks,
    /// One of ours, installed under another name.
    Podrole,
}

/// The others that would inject into the same pods as the configuration `own`; `None` where that
/// one is not there yet, since nobody can say then which pods those are.
pub(crate) fn find(own: &str, all: &[Registered]) -> Option<Vec<Rival>> {
    let ours = all.iter().find(|registered| registered.name == own)?;
    let rivals = all.iter().filter(|other| other.name != own).filter_map(|other| {
        let meets = |entry: &&Entry| {
            entry.takes_new_pods
                && ours.entries.iter().any(|own| own.namespaces.may_overlap(&entry.namespaces))
        };
        let mut kinds = other.entries.iter().filter(meets).filter_map(|it| kind(other, it));
        let older = (other.made, &other.name) < (ours.made, &ours.name);
        Some(Rival { configuration: other.name.clone(), kind: kinds.next()?, older })
    });
    Some(rivals.collect())
}

fn kind(of: &Registered, entry: &Entry) -> Option<Kind> {
    if entry.name.ends_with(".podrole.io") || entry.path == "/mutate/required" {
        return Some(Kind::Podrole);
    }
    let eks = entry.name.ends_with("pod-identity-webhook.amazonaws.com")
        || entry.name == "iam-for-pods.amazonaws.com"
        || of.name.contains("pod-identity-webhook");
    eks.then_some(Kind::Eks)
}

impl Rival {
    /// Whether we are the ones who came later, and must not be here.
    pub(crate) fn was_first(&self) -> bool {
        self.kind == Kind::Podrole && self.older
    }

    /// What is wrong, and the mend.
    pub(crate) fn sentence(&self, own: &str) -> String {
        let other = &self.configuration;
        match self.kind {
            Kind::Eks => format!(
                "MutatingWebhookConfiguration {other} is EKS's webhook and takes pods of the same \
                 namespaces as {own}: what one of them has injected the other leaves; when all \
                 have moved: kubectl delete mutatingwebhookconfiguration {other}"
            ),
            Kind::Podrole => format!(
                "another podrole takes pods of the same namespaces: \
                 MutatingWebhookConfiguration {other} beside {own}; uninstall one of them, or give \
                 each its own namespaces by namespaceSelector"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::{Holds, Requirement};

    fn entry(name: &str, path: &str, label: &str) -> Entry {
        let holds = Holds::In(vec![label.to_owned()]);
        let needs = (!label.is_empty()).then(|| Requirement { key: "injection".into(), holds });
        let namespaces = Selector(needs.into_iter().collect());
        Entry {
            name: name.into(),
            path: path.into(),
            takes_new_pods: true,
            namespaces,
            host: String::new(),
            bundle: String::new(),
        }
    }

    fn registered(name: &str, made: i64, entry: Entry) -> Registered {
        Registered { name: name.into(), made, entries: vec![entry] }
    }

    fn ours() -> Registered {
        registered("podrole", 50, entry("enabled.podrole.io", "/mutate", "enabled"))
    }

    fn found(other: Registered) -> Vec<(Kind, bool)> {
        let rivals = find("podrole", &[ours(), other]).unwrap();
        rivals.iter().map(|rival| (rival.kind, rival.was_first())).collect()
    }

    #[test]
    fn ekss_webhook_is_known_by_its_names_and_never_drives_us_out() {
        for (configuration, name) in [
            ("x", "pod-identity-webhook.amazonaws.com"),
            ("x", "iam-for-pods.amazonaws.com"),
            ("release-amazon-eks-pod-identity-webhook", "x"),
        ] {
            let other = registered(configuration, 1, entry(name, "/mutate", ""));
            assert_eq!(found(other), [(Kind::Eks, false)], "{configuration} {name}");
        }
        assert_eq!(found(registered("x", 1, entry("vault.hashicorp.com", "/mutate", ""))), []);
    }

    #[test]
    fn of_two_podroles_for_the_same_namespaces_the_later_one_must_go() {
        for (made, first) in [(1, true), (99, false)] {
            for (name, path) in [("enabled.podrole.io", "/mutate"), ("x", "/mutate/required")] {
                let other = registered("second", made, entry(name, path, "enabled"));
                assert_eq!(found(other), [(Kind::Podrole, first)], "{name} {made}");
            }
        }
        // Of two of the same second exactly one goes.
        let (one, two) = (registered("a", 7, ours().entries[0].clone()), ours());
        let two = Registered { made: 7, ..two };
        let gone = ["a", "podrole"].map(|own| find(own, &[one.clone(), two.clone()]).unwrap());
        assert_eq!(gone.iter().flatten().filter(|rival| rival.was_first()).count(), 1);
    }

    #[test]
    fn who_takes_other_namespaces_or_no_new_pods_is_no_rival() {
        let other = entry("enabled.podrole.io", "/mutate", "elsewhere");
        assert_eq!(found(registered("second", 1, other)), []);
        let other = Entry { takes_new_pods: false, ..ours().entries[0].clone() };
        assert_eq!(found(registered("second", 1, other)), []);
        assert_eq!(find("podrole", &[registered("x", 1, ours().entries[0].clone())]), None);
    }

    #[test]
    fn the_sentence_names_both_and_the_mend() {
        for (kind, mend) in [(Kind::Eks, "kubectl delete"), (Kind::Podrole, "uninstall one")] {
            let rival = Rival { configuration: "other".into(), kind, older: true };
            let sentence = rival.sentence("podrole");
            assert!(sentence.contains("other") && sentence.contains(mend), "{sentence}");
        }
    }
}
