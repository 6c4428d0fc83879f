//! What people read of each container.

use podrole_identity::CredentialProvider;

use super::*;
use crate::mutate::{ContainerResult, explain};

#[test]
fn each_container_has_a_reason_and_keys_do_not_use_the_role() {
    let env = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| json!({"name": name, "value": value}));
        Value::Array(pairs.collect())
    };
    let mount =
        json!([{"name": "x", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"}]);
    let mut before = pod(&json!([
        {"name": "plain"},
        {"name": "profile", "env": env(&[("AWS_PROFILE", "x")])},
        {"name": "keys", "env": env(&[("AWS_ACCESS_KEY_ID", "x")])},
        {"name": "other", "env": container_pair()},
        {"name": "mount", "volumeMounts": mount},
        {"name": "out"},
        {"name": "both", "env": env(&[("AWS_PROFILE", "x")]), "volumeMounts": mount},
    ]));
    before["spec"]["initContainers"] = json!([{"name": "init"}]);
    before["metadata"]["annotations"] = json!({"eks.amazonaws.com/skip-containers": "out"});
    let explained = |pod: &Value, binding: &Binding| {
        explain(&PodView::read(&pod.to_string()).unwrap(), binding, &Settings::default())
    };
    let reports = explained(&before, &role(&json!({})));
    let sets = |name: &str| ContainerResult::TokenOnly { sets: name.to_owned() };
    let alone = |because: &str| ContainerResult::LeftAlone { because: because.to_owned() };
    let own = "has its own mount at /var/run/secrets/eks.amazonaws.com/serviceaccount";
    for (report, (name, result, uses)) in reports.iter().zip([
        ("init", ContainerResult::Served, true),
        ("plain", ContainerResult::Served, true),
        ("profile", sets("AWS_PROFILE"), true),
        ("keys", sets("AWS_ACCESS_KEY_ID"), false),
        ("other", ContainerResult::HasOther(CredentialProvider::Container), false),
        ("mount", alone(own), false),
        ("out", ContainerResult::Excluded, false),
        ("both", alone("sets AWS_PROFILE"), false),
    ]) {
        assert_eq!((report.name.as_str(), &report.result), (name, &result));
        assert_eq!(report.result.uses_the_role(), uses, "{name}");
    }
    assert_eq!(reports.len(), 8);
    before["spec"]["volumes"] = json!([{"name": "aws-iam-token", "emptyDir": {}}]);
    let taken = alone("the pod has its own volume aws-iam-token");
    assert_eq!(explained(&before, &role(&json!({})))[1].result, taken);
    assert!(explained(&before, &bind(&Annotations::new())).is_empty());
}
