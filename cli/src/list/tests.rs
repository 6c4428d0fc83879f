//! The list of a small cluster, from what its API server answers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{report::ListReport, text};
use crate::{
    cluster::Reader,
    identities::{Identities, Scope},
    progress::Progress,
    settings::{ClusterSettings, SettingsArgs},
};

const NOW: &str = "2026-01-31T12:00:00Z";
const ROLE: &str = "arn:aws:iam::111122223333:role/shop";

/// A cluster that answers lists, and 403 for the paths in `forbidden`.
fn reader(forbidden: &'static [&'static str]) -> Reader {
    let answers: Arc<HashMap<&str, Value>> = Arc::new(objects());
    let answer = move |request: http::Request<kube::client::Body>| {
        let answers = Arc::clone(&answers);
        async move {
            let path = request.uri().path().to_owned();
            let query = request.uri().query().unwrap_or_default();
            assert!(query.contains("limit=500"), "{path}?{query}");
            let (code, body) = if forbidden.iter().any(|it| path.ends_with(it)) {
                let status = json!({"kind": "Status", "status": "Failure", "code": 403,
                    "reason": "Forbidden", "message": "no"});
                (403, status)
            } else {
                let items = answers.get(path.as_str()).cloned().unwrap_or(json!([]));
                (200, json!({"kind": "List", "metadata": {}, "items": items}))
            };
            let body = kube::client::Body::from(body.to_string().into_bytes());
            Ok::<_, std::io::Error>(http::Response::builder().status(code).body(body).unwrap())
        }
    };
    let client = kube::Client::new(tower::service_fn(answer), "default");
    Reader::new(client, Duration::from_secs(30))
}

fn objects() -> HashMap<&'static str, Value> {
    let account = |namespace: &str, name: &str, role: Option<&str>| {
        let annotations =
            role.map_or(json!({}), |role| json!({"eks.amazonaws.com/role-arn": role}));
        json!({"metadata": {"namespace": namespace, "name": name, "annotations": annotations}})
    };
    let pod = |name: &str, account: &str, injected: bool, created: &str| {
        let volumes = if injected {
            json!([{"name": "aws-iam-token", "projected":
                {"sources": [{"serviceAccountToken": {"path": "token"}}]}}])
        } else {
            json!([])
        };
        json!({"metadata": {"namespace": "shop", "name": name, "creationTimestamp": created},
            "spec": {"serviceAccountName": account, "containers": [{"name": "app"}],
                "volumes": volumes},
            "status": {"phase": "Running"}})
    };
    let old = "2026-01-31T11:00:00Z";
    let denied = "arn:aws:iam::111122223333:role/other";
    HashMap::from([
        (
            "/api/v1/namespaces",
            json!([
                {"metadata": {"name": "shop", "labels": {"podrole.io/injection": "enabled"},
                    "annotations": {"podrole.io/permitted-roles": ROLE}}},
                {"metadata": {"name": "other"}}]),
        ),
        (
            "/api/v1/serviceaccounts",
            json!([
                account("shop", "app", Some(ROLE)),
                account("shop", "bad", Some(denied)),
                account("shop", "none", None),
                account("other", "batch", None),
                account("other", "app", Some("nonsense"))
            ]),
        ),
        (
            "/api/v1/pods",
            json!([
                pod("a", "app", true, old),
                pod("b", "app", false, old),
                pod("young", "app", false, "2026-01-31T11:59:30Z"),
                pod("c", "none", false, old)
            ]),
        ),
        (
            "/apis/podrole.io/v1alpha1/podidentityassociations",
            json!([{"metadata": {"name": "other.batch"}, "spec": {"namespace": "other",
                "serviceAccount": "batch", "roleARN": ROLE}},
                {"metadata": {"name": "other.gone"}, "spec": {"namespace": "other",
                "serviceAccount": "gone", "roleARN": ROLE}}]),
        ),
        (
            "/apis/podrole.io/v1alpha1/podidentitypatterns",
            json!([{"metadata": {"name": "all", "creationTimestamp": old}, "spec": {
                "namespaces": ["team-*"],
                "roleARN": "arn:aws:iam::111122223333:role/{serviceAccount}"}}]),
        ),
    ])
}

async fn listed(forbidden: &'static [&'static str], role: Option<&str>) -> ListReport {
    let settings = ClusterSettings::offline(&SettingsArgs::default()).unwrap();
    let (scope, progress) = (Scope::All, Progress::new(true));
    let now = NOW.parse().unwrap();
    let read = Identities::read(&reader(forbidden), &settings, &scope, &progress, now).await;
    if forbidden.is_empty() {
        assert_eq!(read.without_service_account, ["other.gone"]);
    }
    let role = role.map(|it| it.parse().unwrap());
    ListReport::of(&read, &settings, (&scope, role.as_ref()), false)
}

fn plain(report: &ListReport) -> String {
    anstream::adapter::strip_str(&text::of(report)).to_string()
}

#[tokio::test]
async fn each_service_account_with_a_role_has_a_line() {
    let report = listed(&[], None).await;
    let expected = "\
NAMESPACE  SERVICEACCOUNT  SOURCE       PROVIDER      GUARD-RAIL  INJECTED  MISSED  ROLE
other      app             annotation   web-identity  none        0         0       denied: WHY
other      batch           association  container     none        0         0       arn:aws:iam::111122223333:role/shop
shop       app             annotation   web-identity  permits     1         1       arn:aws:iam::111122223333:role/shop
shop       bad             annotation   web-identity  denies      0         0       denied: podrole.io/permitted-roles of the namespace does not permit arn:aws:iam::111122223333:role/other

ERROR: 1 pod of shop/app should have been injected and was not
  fix        podrole why sa/app -n shop
note: associations without a ServiceAccount: other.gone
";
    let text = plain(&report);
    let shown: Vec<_> = text
        .lines()
        .map(|line| match line.split_once("denied: eks") {
            Some((before, _)) => format!("{before}denied: WHY"),
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(shown.join("\n") + "\n", expected);
    assert_eq!(report.exit_code(), 1);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["kind"], "ListReport");
    assert_eq!(json["serviceAccounts"][2]["pods"], json!({"injected": 1, "missed": 1}));
    assert_eq!(json["serviceAccounts"][3]["guardrail"], "denies");
}

#[tokio::test]
async fn what_can_become_a_role_includes_patterns() {
    let report = listed(&[], Some(ROLE)).await;
    let names: Vec<_> = report
        .service_accounts
        .iter()
        .map(|row| format!("{}/{}", row.namespace, row.service_account))
        .collect();
    assert_eq!(names, ["other/batch", "shop/app"]);
    let text = plain(&report);
    let line = "PodIdentityPattern all gives the role to new ServiceAccounts with the name shop in each namespace that it selects\n";
    assert!(text.contains(line), "{text}");
    let other = listed(&[], Some("arn:aws:iam::444455556666:role/x")).await;
    assert_eq!(plain(&other).lines().next(), Some("No ServiceAccount has a role."));
    assert!(text.contains("\nnote: associations without a ServiceAccount: other.gone\n"), "{text}");
    assert!(!plain(&other).contains("other.gone"));
}

#[tokio::test]
async fn a_missing_right_is_named_and_no_pod_is_called_missed() {
    for path in [
        "namespaces",
        "serviceaccounts",
        "podidentityassociations",
        "podidentitypatterns",
        "podidentityguardrails",
        "pods",
    ] {
        let forbidden: &'static [&'static str] = Box::leak(Box::new([path]));
        let report = listed(forbidden, None).await;
        assert_eq!(report.exit_code(), 3, "{path}");
        assert!(report.service_accounts.iter().all(|row| row.pods.is_none()), "{path}");
        let text = plain(&report);
        assert!(text.contains(&format!("cannot list {path}")), "{text}");
        assert!(text.contains("kubectl auth can-i list") && !text.contains("ERROR"), "{text}");
    }
}
