//! kOps's ConfigMap.

use super::*;

/// The ConfigMap with this content, as YAML. The content is in line 5.
fn config_map(config: &str) -> String {
    let config = serde_json::Value::from(config);
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pod-identity-webhook, namespace: \
         kube-system}}\ndata:\n  config: {config}\n"
    )
}

fn entry(key: &str, fields: &str) -> String {
    format!("{{\"{key}\": {{\"RoleARN\": \"{ROLE}\"{fields}}}}}")
}

#[test]
fn an_entry_becomes_an_association() {
    let imported = import(&config_map(&entry("shop/app", ""))).unwrap();
    let spec = format!("spec:\n  namespace: shop\n  serviceAccount: app\n  roleARN: {ROLE}\n");
    assert!(imported.starts_with("apiVersion") && imported.ends_with(&spec), "{imported}");
    assert_eq!(import(&config_map("{}")).unwrap(), "");
    assert_eq!(import(&config_map("")).unwrap(), "");
}

#[test]
fn what_an_association_does_not_express_is_a_comment() {
    let fields = ", \"audience\": \"a\", \"UseRegionalSTS\": true, \"TokenExpiration\": 3600";
    let imported = import(&config_map(&entry("shop/app", fields))).unwrap();
    let comments = "# not imported: Audience: \"a\"\n# not imported: UseRegionalSTS: true\n\
                    # not imported: TokenExpiration: 3600\napi";
    assert!(imported.starts_with(comments), "{imported}");
    let unset = ", \"Audience\": \"\", \"UseRegionalSTS\": false, \"TokenExpiration\": 0";
    assert!(!import(&config_map(&entry("shop/app", unset))).unwrap().contains('#'));
}

#[test]
fn an_entry_for_any_namespace_is_left_out_with_a_note() {
    let text = config_map(&entry("*/app", ""));
    assert_eq!(import(&text).unwrap(), "");
    assert_eq!(
        notes(&text),
        [format!(
            "in.yaml:5: */app is left out, because an association is for one namespace; write a \
             PodIdentityPattern with namespaces: [\"*\"], serviceAccounts: [app] and roleARN: {ROLE}"
        )]
    );
}

#[test]
fn an_entry_that_the_webhook_cannot_use_is_an_error() {
    for (config, said) in [
        (entry("app", ""), "app: write the key as namespace/name"),
        (entry("Shop/app", ""), "Shop/app: a namespace is 1 to 63 of a-z 0-9 -"),
        ("{\"shop/app\": {}}".to_owned(), "shop/app: RoleARN is missing"),
        ("{\"shop/app\": []}".to_owned(), "shop/app: the value is not a JSON object"),
        (
            entry("shop/app", ", \"UseRegionalSTS\": \"yes\""),
            "shop/app: UseRegionalSTS is not a boolean",
        ),
        (
            "{\"shop/app\": {\"RoleARN\": \"app\"}}".to_owned(),
            "shop/app: RoleARN: it is not an ARN (arn:aws:iam::<account>:role/<name>)",
        ),
        (
            format!(
                "{{\"a/b\": {{\"RoleARN\": \"{ROLE}\"}}, \"a/b\": {{\"RoleARN\": \"{ROLE}\"}}}}"
            ),
            "data.config has the key a/b twice; remove one of them",
        ),
    ] {
        assert_eq!(error(&config_map(&config)), format!("in.yaml:5: {said}"));
    }
    for config in ["[]", "{", "7", "a: b"] {
        let said = error(&config_map(config));
        assert!(said.starts_with("in.yaml:5: data.config is not a JSON object: "), "{said}");
    }
}

#[test]
fn another_config_map_is_left_out() {
    let other = config_map("{}").replace("name: pod-identity-webhook", "name: app");
    assert!(error(&other).starts_with("in.yaml:1: it has no association, only ConfigMap; known"));
    let odd = config_map("{}").replace("config: ", "config: 7 #");
    assert!(error(&odd).starts_with("in.yaml:1: it has no association, only ConfigMap; known"));
}

#[test]
fn ten_thousand_entries_are_imported() {
    let entry = |index: usize| format!("\"n{index}/app\":{{\"RoleARN\":\"{ROLE}\"}}");
    let entries: Vec<_> = (0..10_000).map(entry).collect();
    let imported = import(&config_map(&format!("{{{}}}", entries.join(",")))).unwrap();
    assert_eq!(imported.matches("\n  roleARN: ").count(), 10_000);
}
