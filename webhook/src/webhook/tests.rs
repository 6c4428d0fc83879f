//! Whole decisions, from bytes to answer.

use podrole_identity::{Annotations, NamespaceFacts, PermittedRoles, PermittedSecrets};
use serde_json::{Value, json};

use super::*;
use crate::InMemory;
use crate::{review::Answer, review_bytes};

/// Fails every look-up.
struct FailingLookups(LookupError);

impl ServiceAccounts for FailingLookups {
    async fn find(
        &self,
        _account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        Err(self.0)
    }

    async fn association(
        &self,
        _service_account: &ServiceAccountRef,
        _confirm: bool,
        _patience: Duration,
    ) -> Result<crate::FoundAssociation, LookupError> {
        Ok(None)
    }

    async fn namespace_facts(
        &self,
        _namespace: &str,
        _patience: Duration,
    ) -> Result<std::sync::Arc<NamespaceFacts>, LookupError> {
        Err(self.0)
    }
}

fn service_accounts() -> InMemory {
    let service_accounts =
        [("shop/app", "arn:aws:iam::111122223333:role/app"), ("shop/bad", "app")];
    let service_accounts = service_accounts.into_iter().map(|(account, role)| {
        let role = ("eks.amazonaws.com/role-arn".to_owned(), role.to_owned());
        let annotations: Annotations = [role].into_iter().collect();
        let said = Settings::default().annotations.read(annotations);
        (account.parse().unwrap(), said)
    });
    service_accounts.collect()
}

fn pod(account: &str) -> Value {
    json!({"metadata": {"name": "p", "namespace": "elsewhere"},
        "spec": {"serviceAccountName": account, "containers": [{"name": "web"}]}})
}

fn review(object: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE", "namespace": "shop", "object": object}})
}

async fn ask(service_accounts: impl ServiceAccounts, injection: Injection, body: &Value) -> Answer {
    let webhook = Webhook::new(service_accounts, Settings::default(), Metrics::default());
    let body = body.to_string();
    let asked = review_bytes(&webhook, injection, DEFAULT_PATIENCE, body.as_bytes());
    asked.await.unwrap()
}

fn reason(answer: &Answer) -> &str {
    &answer.response.audit_annotations["reason"]
}

#[tokio::test]
async fn a_pod_gets_its_role_by_the_reviews_namespace() {
    let answer = ask(service_accounts(), Injection::Enabled, &review(&pod("app"))).await;
    assert_eq!((reason(&answer), answer.response.allowed), ("injected", true));
    assert_eq!(answer.response.uid, "u-1");
    let audit = &answer.response.audit_annotations;
    assert_eq!(audit["role"], "arn:aws:iam::111122223333:role/app");
    assert_eq!(audit["path"], "web_identity");
    let mut patched = pod("app");
    json_patch::patch(&mut patched, &answer.response.operations().unwrap()).unwrap();
    assert_eq!(patched["spec"]["containers"][0]["env"][0]["name"], "AWS_ROLE_ARN");
}

#[tokio::test]
async fn who_names_no_role_is_admitted_everywhere() {
    for injection in [Injection::Enabled, Injection::Required] {
        for account in ["other", ""] {
            let answer = ask(service_accounts(), injection, &review(&pod(account))).await;
            assert_eq!((reason(&answer), answer.response.allowed), ("no_role", true));
            assert_eq!(answer.response.warnings, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_pod_is_warned_of_keys_that_have_no_effect_there() {
    const ROLE_KEY: &str = "eks.amazonaws.com/role-arn";
    for (account, expected) in [("other", "no_role"), ("app", "injected")] {
        let mut pod = pod(account);
        pod["metadata"]["annotations"] = json!({ROLE_KEY: "arn:aws:iam::111122223333:role/app"});
        let answer = ask(service_accounts(), Injection::Enabled, &review(&pod)).await;
        let warning = format!(
            "podrole: {ROLE_KEY} belongs on ServiceAccount shop/{account}; it has no effect here"
        );
        assert_eq!(reason(&answer), expected);
        assert_eq!(answer.response.warnings, [warning]);
    }
}

#[tokio::test]
async fn pods_are_warned_that_their_service_accounts_role_is_misspelled() {
    let misspelled = ("eks.amazonaws.com/role_arn", "arn:aws:iam::111122223333:role/app");
    let annotations = [misspelled].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let read = Settings::default().annotations.read(annotations.into());
    let all: InMemory = [("shop/typo".parse().unwrap(), read)].into_iter().collect();
    let answer = ask(all, Injection::Required, &review(&pod("typo"))).await;
    assert_eq!((reason(&answer), answer.response.allowed), ("no_role", true));
    let warnings = &answer.response.warnings;
    assert!(warnings[0].contains("use eks.amazonaws.com/role-arn"), "{warnings:?}");
}

/// What both paths do with what cannot be decided: admitted with a warning, or refused.
async fn undecided(error: Option<LookupError>, body: &Value, word: &str) {
    for (injection, allowed) in [(Injection::Enabled, true), (Injection::Required, false)] {
        let answer = match error {
            Some(error) => ask(FailingLookups(error), injection, body).await,
            None => ask(service_accounts(), injection, body).await,
        };
        assert_eq!((reason(&answer), answer.response.allowed), (word, allowed), "{body}");
        assert_eq!(answer.response.patch, None);
        assert_eq!(answer.response.warnings.len(), usize::from(allowed));
        assert_eq!(answer.response.status.is_some(), !allowed);
    }
}

#[tokio::test]
async fn not_to_know_is_not_no_role() {
    for (error, word) in [
        (LookupError::Unsynced, "unsynced"),
        (LookupError::Failed, "lookup_failed"),
        (LookupError::TooSlow, "lookup_failed"),
        (LookupError::Busy, "lookup_failed"),
    ] {
        undecided(Some(error), &review(&pod("app")), word).await;
    }
}

#[tokio::test]
async fn a_bad_role_is_warned_of_or_refused() {
    undecided(None, &review(&pod("bad")), "bad_role").await;
}

#[tokio::test]
async fn an_unreadable_pod_is_warned_of_or_refused() {
    let mut wrong_version = review(&pod("app"));
    wrong_version["apiVersion"] = json!("admission.k8s.io/v2");
    let mut no_namespace = review(&pod("app"));
    no_namespace["request"]["namespace"] = json!(null);
    for body in [
        review(&json!(null)),
        review(&json!([])),
        review(&json!({"spec": {"containers": "hunter2", "serviceAccountName": "app"}})),
        review(&pod("A/B")),
        wrong_version,
        no_namespace,
    ] {
        undecided(None, &body, "unreadable").await;
    }
    let bad = json!({"spec": {"containers": "hunter2", "serviceAccountName": "app"}});
    let answer = ask(service_accounts(), Injection::Enabled, &review(&bad)).await;
    assert!(!format!("{answer:?}").contains("hunter2"), "the answer contains the pod");
}

#[tokio::test]
async fn of_a_pod_without_an_identity_nothing_more_is_read() {
    let body = review(&json!({"spec": {"containers": "hunter2"}}));
    for injection in [Injection::Enabled, Injection::Required] {
        let answer = ask(service_accounts(), injection, &body).await;
        assert_eq!((reason(&answer), answer.response.allowed), ("no_role", true));
    }
}

#[tokio::test]
async fn a_guard_rail_warns_or_refuses_and_an_unknown_namespace_permits_nothing() {
    let guarded = |text| {
        let roles = PermittedRoles::read(Some(text));
        service_accounts().with_namespace(
            "shop",
            NamespaceFacts { permitted: roles, ..NamespaceFacts::default() },
        )
    };
    let body = review(&pod("app"));
    for (injection, allowed) in [(Injection::Enabled, true), (Injection::Required, false)] {
        let answer = ask(guarded("arn:aws:iam::*:role/other"), injection, &body).await;
        assert_eq!((reason(&answer), answer.response.allowed), ("not_permitted", allowed));
        assert_eq!(answer.response.patch, None);
        let answer = ask(guarded("arn:aws:iam::*:role/app"), injection, &body).await;
        assert_eq!(reason(&answer), "injected");
        let answer = ask(NoNamespace(service_accounts()), injection, &body).await;
        assert_eq!((reason(&answer), answer.response.allowed), ("lookup_failed", allowed));
    }
    let other =
        ask(NoNamespace(service_accounts()), Injection::Required, &review(&pod("other"))).await;
    assert_eq!(reason(&other), "lookup_failed", "its namespace may ask for `container`");
    let mut asks = pod("other");
    asks["metadata"]["annotations"] = json!({"secret.podrole.io/db": "/etc/db"});
    let asks = review(&asks);
    for (injection, allowed) in [(Injection::Enabled, true), (Injection::Required, false)] {
        let answer = ask(NoNamespace(service_accounts()), injection, &asks).await;
        assert_eq!((reason(&answer), answer.response.allowed), ("lookup_failed", allowed));
    }
    let guard_rail =
        NamespaceFacts { secrets: PermittedSecrets::read(Some("mq")), ..NamespaceFacts::default() };
    let guarded = service_accounts().with_namespace("shop", guard_rail);
    let answer = ask(guarded, Injection::Required, &asks).await;
    assert_eq!((reason(&answer), answer.response.allowed), ("no_role", true));
    assert!(answer.response.warnings[0].contains("permitted-secrets"), "{answer:?}");
    let answer = ask(service_accounts(), Injection::Required, &asks).await;
    assert_eq!(reason(&answer), "injected");
}

/// Knows ServiceAccounts and no namespace.
struct NoNamespace(InMemory);

impl ServiceAccounts for NoNamespace {
    async fn find(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        self.0.find(account, patience).await
    }

    async fn association(
        &self,
        _service_account: &ServiceAccountRef,
        _confirm: bool,
        _patience: Duration,
    ) -> Result<crate::FoundAssociation, LookupError> {
        Ok(None)
    }

    async fn namespace_facts(
        &self,
        _namespace: &str,
        _patience: Duration,
    ) -> Result<std::sync::Arc<NamespaceFacts>, LookupError> {
        Err(LookupError::Namespace)
    }
}

#[tokio::test]
async fn a_label_opts_out_where_identity_is_not_required() {
    for label in ["podrole.io/injection", "eks.amazonaws.com/skip-pod-identity-webhook"] {
        let mut pod = pod("app");
        pod["metadata"]["labels"] = json!({label: "disabled"});
        for (injection, word) in
            [(Injection::Enabled, "opted_out"), (Injection::Required, "injected")]
        {
            let answer = ask(service_accounts(), injection, &review(&pod)).await;
            assert_eq!(reason(&answer), word, "{label}");
        }
    }
}

#[tokio::test]
async fn other_objects_are_none_of_ours() {
    let mut review = review(&pod("app"));
    review["request"]["operation"] = json!("UPDATE");
    for injection in [Injection::Enabled, Injection::Required] {
        let answer = ask(FailingLookups(LookupError::Failed), injection, &review).await;
        assert_eq!((reason(&answer), answer.response.allowed), ("not_applicable", true));
    }
}

#[tokio::test]
async fn each_review_is_counted_once_by_path_outcome_and_reason() {
    let metrics = Metrics::default();
    let webhook = Webhook::new(service_accounts(), Settings::default(), metrics.clone());
    let bodies = [review(&pod("app")), review(&pod("bad")), json!("hunter2")];
    for body in bodies {
        let body = body.to_string();
        let required = Injection::Required;
        let _ = review_bytes(&webhook, required, DEFAULT_PATIENCE, body.as_bytes()).await;
    }
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for labels in [
        r#"provider="web_identity",outcome="patched",reason="injected""#,
        r#"provider="web_identity",outcome="refused",reason="bad_role""#,
        r#"provider="none",outcome="rejected",reason="unreadable""#,
    ] {
        let route = r#"route="/mutate/required""#;
        let line = format!("podrole_webhook_reviews_total{{{route},{labels}}} 1");
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn jitter_differs_from_review_to_review_and_not_within_one() {
    assert_eq!(jitter("u-1"), jitter("u-1"));
    assert_ne!(jitter("u-1"), jitter("u-2"));
}
