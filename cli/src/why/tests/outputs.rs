//! The three outputs as they must read, and what a caller without rights sees.

use serde_json::json;

use super::cluster::{Change, Cluster, Flags};
use crate::{
    report::{Code, Finding},
    settings::SettingsProblem,
    why::aws::AwsFindings,
};

fn change(value: serde_json::Value) -> Change {
    serde_json::from_value(value).unwrap()
}

/// The issuer's and the trust policy's part of a healthy report.
fn asked(trust: Finding) -> AwsFindings {
    let issuer = "https://oidc.example.com publishes both keys that the API server has";
    AwsFindings { trust: Some(vec![trust]), issuer: Some(vec![Finding::ok(issuer)]) }
}

#[test]
fn a_healthy_pod_shows_each_link_with_its_evidence() {
    let setup = change(json!({"objects": {"Deployment/web": {"spec": {"template": {"spec": {
        "initContainers": [{"name": "init", "image": "init"}],
        "containers": [{"name": "app", "image": "app", "envFrom": [{"configMapRef": {"name": "vars"}}]}]}}}}}}));
    let trust = Finding::ok(
        "provider lists sts.amazonaws.com; trust policy statement 1 allows system:serviceaccount:shop:app",
    );
    let cluster = Cluster::new(&Flags::default(), &setup, &[]);
    let (text, exit, ..) = cluster.why("web-7d4b9c-x2x8q", &asked(trust));
    let expected = "\
ok: pod shop/web-7d4b9c-x2x8q gets arn:aws:iam::111122223333:role/shop-app by web-identity
   1 pod        ok       Running on node-a for 3 h as ServiceAccount shop/app
   2 namespace  ok       shop has podrole.io/injection=enabled; no guard-rail
   3 webhook    ok       2 of 2 pods ready, caBundle valid until 2027-02-01, no other injector
   4 expected   ok       AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and a token volume in app, init
   5 injected   ok       app, init have all of it
   6 role       ok       from ServiceAccount shop/app, eks.amazonaws.com/role-arn
   7 other      ok       no other credentials in env; note: envFrom of app (ConfigMap vars) cannot be seen
   8 token      skipped  asks for audience sts.amazonaws.com, 24 h (--token FILE checks one)
   9 issuer     ok       https://oidc.example.com publishes both keys that the API server has
  10 agent      skipped  web-identity does not use it
  11 AWS        ok       provider lists sts.amazonaws.com; trust policy statement 1 allows system:serviceaccount:shop:app
  12 network    ok       no policy selects the pod
  note: permissions boundaries and service control policies are not evaluated
";
    assert_eq!((text.as_str(), exit), (expected, 0));
}

#[test]
fn a_trust_policy_that_names_another_service_account_is_the_verdict() {
    let sub = "oidc.example.com:sub";
    let trust = Finding::error(
        Code(20),
        "the trust policy of shop-app names ServiceAccount shop:web, not shop:app",
    )
    .is(format!("statement 1: StringEquals {sub} = \"system:serviceaccount:shop:web\""))
    .should_be(format!("StringEquals {sub} = \"system:serviceaccount:shop:app\""))
    .fix("podrole trust-policy shop/app --into arn:aws:iam::111122223333:role/shop-app --aws > trust.json")
    .fix("aws iam update-assume-role-policy --role-name shop-app --policy-document file://trust.json")
    .after("no restart is needed; SDKs get credentials at their next try");
    let cluster = Cluster::new(&Flags::default(), &Change::default(), &[]);
    let (text, exit, ..) = cluster.why("deployment/web", &asked(trust));
    let expected = "\
ERROR PR020: the trust policy of shop-app names ServiceAccount shop:web, not shop:app
  is         statement 1: StringEquals oidc.example.com:sub = \"system:serviceaccount:shop:web\"
  should be  StringEquals oidc.example.com:sub = \"system:serviceaccount:shop:app\"
  fix        podrole trust-policy shop/app --into arn:aws:iam::111122223333:role/shop-app --aws > trust.json
  fix        aws iam update-assume-role-policy --role-name shop-app --policy-document file://trust.json
  after      no restart is needed; SDKs get credentials at their next try
  pod        web-7d4b9c-x2x8q, newest of 3; the others agree
  ok: pod namespace webhook expected injected role other issuer network; skipped: token, agent (web-identity)
";
    assert_eq!((text.as_str(), exit), (expected, 1));
}

#[test]
fn a_misspelt_label_is_shown_with_the_commands_that_fix_it() {
    let mistake =
        change(json!({"plainPods": true, "objects": {"Namespace/shop": {"metadata": {"labels": {
        "podrole.io/injection": null, "podrole.io/inject": "enabled"}}}}}));
    let cluster = Cluster::new(&Flags::default(), &Change::default(), &[&mistake]);
    let (text, exit, _, report) = cluster.why("deployment/web", &AwsFindings::default());
    let expected = "\
ERROR PR001: namespace shop is not labelled podrole.io/injection=enabled (it has podrole.io/inject)
  is         podrole.io/inject=enabled
  should be  podrole.io/injection=enabled
  fix        kubectl label namespace shop podrole.io/injection=enabled podrole.io/inject-
  fix        kubectl -n shop rollout restart deployment/web
  after      3 pods of deployment/web run without AWS credentials until they are restarted
  pod        web-7d4b9c-x2x8q, newest of 3; the others agree
  ok: pod webhook role other network; skipped because of PR001: expected injected; skipped: token issuer agent AWS (add --aws)
";
    assert_eq!((text.as_str(), exit), (expected, 1));
    assert_eq!(report["kind"], "WhyReport");
    assert_eq!(report["exitCode"], 1);
    let codes: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["code"].as_str())
        .collect();
    assert_eq!(codes, ["PR001"]);
    assert_eq!(report["subjects"][0]["workload"], "deployment/web");
}

#[test]
fn without_a_right_only_its_links_are_unknown_and_the_right_is_named() {
    let mistake = change(json!({"forbidden": ["MutatingWebhookConfiguration", "NetworkPolicy"]}));
    let cluster = Cluster::new(&Flags::default(), &Change::default(), &[&mistake]);
    let (text, exit, ..) = cluster.why("deployment/web", &AwsFindings::default());
    let expected = "\
unknown: nothing is wrong with pod shop/web-7d4b9c-x2x8q as far as it could be read; not known: webhook, network
";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("kubectl auth can-i list networkpolicies.networking.k8s.io -n shop says no"),
        "{text}"
    );
    assert!(text.contains("ok: pod namespace expected injected role other"), "{text}");
    assert_eq!(exit, 3);
}

#[test]
fn what_is_not_known_of_the_settings_is_not_guessed() {
    let plain = change(
        json!({"plainPods": true, "objects": {"Namespace/shop": {"metadata": {"labels": null}}}}),
    );
    let mut cluster = Cluster::new(&Flags::default(), &Change::default(), &[&plain]);
    cluster.settings.default_unknown = Some(SettingsProblem::NotInstalled);
    let (text, exit, ..) = cluster.why("deployment/web", &AwsFindings::default());
    let part = "namespace shop has no label podrole.io/injection; whether the cluster injects it all the same";
    assert!(exit == 1 && text.contains(part) && !text.contains("PR001"), "{text}");
    let mut cluster = Cluster::new(&Flags::default(), &Change::default(), &[]);
    cluster.settings.problems = vec![SettingsProblem::NotInstalled];
    let (text, exit, ..) = cluster.why("deployment/web", &AwsFindings::default());
    assert!(exit == 3 && text.contains("podrole's defaults are assumed: no Deployment"), "{text}");
    let other = SettingsProblem::OtherVersion { daemon: "a".into(), version: "9.9.9".into() };
    cluster.settings.problems = vec![other];
    let (text, exit, ..) = cluster.why("deployment/web", &AwsFindings::default());
    assert!(exit == 0 && text.contains("warning: a is of version 9.9.9"), "{text}");
}

#[test]
fn a_pod_that_is_gone_is_unknown_and_its_owner_is_named() {
    let cluster = Cluster::new(&Flags::default(), &Change::default(), &[]);
    let (text, exit, ..) = cluster.why("web-7d4b9c-zzzzz", &AwsFindings::default());
    let expected = "\
unknown: pod shop/web-7d4b9c-zzzzz does not exist; it may have been replaced
  fix        podrole why deployment/web -n shop
";
    assert_eq!((text.as_str(), exit), (expected, 3));
}

#[test]
fn what_tenants_write_is_printable_and_bounded() {
    let containers: Vec<_> = (0..1000)
        .map(|index| {
            json!({"name": format!("c{index}\u{1b}[31m"), "image": "x",
            "env": [{"name": "AWS_ACCESS_KEY_ID", "value": "secret-value"}]})
        })
        .collect();
    let mistake = change(json!({"objects": {"Deployment/web": {"spec": {"template": {"spec": {
        "containers": containers}}}}}}));
    let cluster = Cluster::new(&Flags::default(), &Change::default(), &[&mistake]);
    let (text, exit, _, report) = cluster.why("deployment/web", &AwsFindings::default());
    assert_eq!(exit, 1);
    assert!(
        text.lines().count() < 150 && text.contains("\n  and 979 more; -o json has them\n"),
        "{text}"
    );
    assert!(
        !text.contains('\u{1b}') && text.contains("container c0\\x1b[31m sets AWS_ACCESS_KEY_ID"),
        "{text}"
    );
    assert_eq!(report["findings"].as_array().unwrap().len(), 20);
    assert!(report["omitted"].as_u64().unwrap() > 980);
    assert!(!text.contains("secret-value") && !report.to_string().contains("secret-value"));
}

#[test]
fn a_workload_without_pods_is_examined_by_its_template() {
    let setup = change(json!({"noPods": true}));
    let cluster = Cluster::new(&Flags::default(), &setup, &[]);
    let (text, exit, ..) = cluster.why("deployment/web", &AwsFindings::default());
    let expected = "\
ok: deployment/web will get arn:aws:iam::111122223333:role/shop-app by web-identity (AWS not checked: add --aws)
   1 pod        ok       deployment/web has no pod; its template is examined
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("   5 injected   skipped  there is no pod yet\n"), "{text}");
    assert_eq!(exit, 0);
}
