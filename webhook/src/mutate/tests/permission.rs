//! What a ServiceAccount's annotation may ask for, and what only a pod's own may.

use podrole_identity::PermittedSecrets;

use super::*;

const KEY: &str = "secret.podrole.io/db";

/// The outcome for a pod whose ServiceAccount asks for `service_account` and which asks for `own`, in
/// a namespace with a guard-rail.
fn asked(
    service_account: Option<&str>,
    own: Option<&str>,
    guard_rail: Option<&str>,
) -> (Value, Outcome) {
    let annotations = |value: Option<&str>| -> Annotations {
        value.map(|value| (KEY.to_owned(), value.to_owned())).into_iter().collect()
    };
    let guard_rail =
        NamespaceFacts { secrets: PermittedSecrets::read(guard_rail), ..NamespaceFacts::default() };
    let binding = bind_in(&guard_rail, &annotations(service_account), &GrantRules::default());
    let mut before = pod(&json!([web()]));
    before["metadata"]["annotations"] = json!(annotations(own));
    let outcome = decide(&before, &binding, &Settings::default());
    let patched = after(&before, &outcome);
    let again = decide(&patched, &binding, &Settings::default());
    assert!(matches!(again, Outcome::Skip { .. }), "{again:?}");
    (patched, outcome)
}

/// Asserts that the ServiceAccount's annotation adds nothing and warns with `word`, and that the same
/// annotation of the pod is done.
fn for_pods_only(value: &str, word: &str) {
    let (patched, outcome) = asked(Some(value), None, None);
    assert_eq!(patched["spec"]["volumes"], Value::Null, "{value}");
    assert_eq!(patched["spec"]["containers"], json!([web()]), "{value}");
    let warnings = warnings(&outcome);
    assert_eq!((outcome.reason(), warnings.len()), (Reason::NoRole, 1), "{value}");
    assert!(warnings[0].starts_with(KEY) && warnings[0].contains(word), "{warnings:?}");
    let (patched, outcome) = asked(None, Some(value), None);
    assert_eq!(outcome.reason(), Reason::Injected, "{value}");
    assert_ne!(patched["spec"]["containers"], json!([web()]), "{value}");
    // For the same alias the pod's annotation replaces its ServiceAccount's, also a denied one.
    let (_, both) = asked(Some("/usr"), Some(value), None);
    assert_eq!(both.reason(), Reason::Injected, "{value}");
}

#[test]
fn variables_of_loaders_and_of_no_prefix_are_for_pods_only() {
    for (prefix, word) in [
        ("", "must be like DB_"),
        ("D", "must be like DB_"),
        ("LD_", "env LD_ is reserved (the dynamic loader)"),
        ("NODE_", "env NODE_ is reserved"),
        ("AWS_", "env AWS_ is reserved"),
    ] {
        for_pods_only(&json!({"env": prefix}).to_string(), word);
        let files_too = json!({"env": prefix, "mountPath": "/etc/db"});
        for_pods_only(&files_too.to_string(), word);
    }
}

#[test]
fn mounts_over_programs_and_cas_are_for_pods_only() {
    for (path, protected) in [
        ("/bin", "/bin"),
        ("/etc", "/etc/ssl"),
        ("//etc/./ssl//certs", "/etc/ssl"),
        ("/run/secrets/x", "/run/secrets"),
        ("/usr/{pod.name}", "/usr"),
        ("/lib{pod.name}", "/lib*"),
    ] {
        for_pods_only(path, &format!("must not mount over {protected};"));
    }
}

#[test]
fn placeholders_do_not_lead_to_protected_paths() {
    let annotations = [(KEY.to_owned(), "/{serviceaccount.name}/{pod.name}".to_owned())];
    let annotations = AnnotationRules::default().read(annotations.into());
    for (service_account, name, added) in
        [("shop/app", "p", true), ("shop/usr", "p", false), ("shop/etc", "ssl", false)]
    {
        let binding = Binding::new(
            &service_account.parse().unwrap(),
            annotations.clone().into(),
            &Snapshot::default(),
            &NamespaceFacts::default(),
            &Settings::default(),
        );
        let mut before = pod(&json!([web()]));
        before["metadata"]["name"] = json!(name);
        let outcome = decide(&before, &binding, &Settings::default());
        assert_eq!(outcome.reason() == Reason::Injected, added, "{service_account} {name}");
        assert_eq!(warnings(&outcome).is_empty(), added, "{service_account} {name}");
    }
}

#[test]
fn a_guard_rail_limits_the_secrets_of_both() {
    for (guard_rail, added, word) in [
        (None, true, ""),
        (Some("d?, other-*"), true, ""),
        (Some("other-*"), false, "podrole.io/permitted-secrets has no pattern for db"),
        (Some(""), false, "podrole.io/permitted-secrets has no pattern for db"),
        (Some("*, DB"), false, "podrole.io/permitted-secrets, pattern 2"),
    ] {
        for (service_account, own) in [(Some("/etc/db"), None), (None, Some("/etc/db"))] {
            let (_, outcome) = asked(service_account, own, guard_rail);
            assert_eq!(outcome.reason() == Reason::Injected, added, "{guard_rail:?}");
            let warnings = warnings(&outcome).join("\n");
            assert!(warnings.is_empty() == added && warnings.contains(word), "{warnings}");
        }
    }
}

#[test]
fn a_denied_secret_refuses_no_pod() {
    let (_, outcome) = asked(Some("/bin"), None, None);
    assert_eq!(outcome.clone().required(), outcome);
}
