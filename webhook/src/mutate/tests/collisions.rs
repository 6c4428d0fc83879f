//! Pods that already have credentials: the author's, another webhook's, ours.

use podrole_identity::variable::USER_DECIDED;

use super::*;

#[test]
fn any_credential_variable_means_that_the_author_decided() {
    for binding in [role(&json!({})), container_provider()] {
        for name in USER_DECIDED {
            for variable in [
                json!({"name": name, "value": "x"}),
                json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
                json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k", "optional": false}}}),
            ] {
                let decided = json!({"name": "web", "env": [variable]});
                let before = pod(&json!([decided, {"name": "other"}]));
                let outcome = decide(&before, &binding, &Settings::default());
                assert_eq!(warnings(&outcome), [beside(name)], "{outcome:?}");
                let patched = after(&before, &outcome);
                let (web, other) =
                    (&patched["spec"]["containers"][0], &patched["spec"]["containers"][1]);
                assert_eq!(web["env"], decided["env"], "{name}");
                assert_eq!(web["volumeMounts"], other["volumeMounts"], "{name}");
                assert_eq!(names(other).len(), 2, "{name}");
                let again = decide(&patched, &binding, &Settings::default());
                assert_eq!(again, Outcome::skip_with(Reason::NothingToAdd, beside(name)));
            }
        }
    }
}

/// The warning for a container whose author chose its credentials.
fn beside(variable: &str) -> String {
    format!(
        "container web sets {variable}: it gets the token, no credential variables; remove it to use the role"
    )
}

/// The EBS CSI driver's chart names a Secret that is not there with IRSA; other charts print the
/// variables although their values are empty.
#[test]
fn an_optional_source_or_an_empty_literal_decides_nothing() {
    for binding in [role(&json!({})), container_provider()] {
        let plain = patched(&pod(&json!([web()])), &binding, &Settings::default());
        let pair = plain["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"];
        for source in ["secretKeyRef", "configMapKeyRef"] {
            let optional = json!({source: {"name": "s", "key": "k", "optional": true}});
            let env = keys.map(|name| json!({"name": name, "valueFrom": optional}));
            let before = pod(&json!([{"name": "web", "env": env}]));
            let patched = patched(&before, &binding, &Settings::default());
            let expected: Vec<_> = env.iter().cloned().chain(pair.clone()).collect();
            assert_eq!(patched["spec"]["containers"][0]["env"], json!(expected));
        }
        let empty = [json!({"name": keys[0], "value": ""}), json!({"name": keys[1]})];
        let before = pod(&json!([{"name": "web", "env": empty}]));
        let patched = patched(&before, &binding, &Settings::default());
        let expected: Vec<_> = empty.iter().cloned().chain(pair.clone()).collect();
        assert_eq!(patched["spec"]["containers"][0]["env"], json!(expected));
    }
}

#[test]
fn an_empty_literal_of_ours_is_replaced() {
    let env = json!([{"name": "AWS_ROLE_ARN", "value": ""}, {"name": "AWS_PROFILE"},
        {"name": "AWS_REGION", "value": ""}]);
    let settings = Settings { region: Some("eu-west-1".to_owned()), ..Settings::default() };
    let before = pod(&json!([{"name": "web", "env": env}]));
    let patched = patched(&before, &role(&json!({})), &settings);
    let container = &patched["spec"]["containers"][0];
    let order = ["AWS_ROLE_ARN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"];
    assert_eq!(names(container)[..4], order);
    assert_eq!(names(container).len(), 5);
    assert_eq!(value(container, "AWS_ROLE_ARN"), ROLE);
    assert_eq!(value(container, "AWS_REGION"), "eu-west-1");
}

/// AWS's recipe for cross-account access: a profile that names EKS's token file.
#[test]
fn a_profile_gets_the_token_and_the_region() {
    let settings = Settings {
        region: Some("eu-west-1".to_owned()),
        sts_regional_endpoints: true,
        endpoint_url: Some("http://sandbox:4566".to_owned()),
        ..Settings::default()
    };
    let env = json!([{"name": "AWS_PROFILE", "value": "other-account"}]);
    let before = pod(&json!([{"name": "web", "env": env}]));
    let outcome = decide(&before, &role(&json!({})), &settings);
    assert_eq!(outcome.reason(), Reason::Injected);
    let patched = after(&before, &outcome);
    let container = &patched["spec"]["containers"][0];
    assert_eq!(container["volumeMounts"], json!([irsa_mount()]));
    assert_eq!(patched["spec"]["volumes"], json!([irsa_volume(86_400)]));
    let regional =
        ["AWS_PROFILE", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION", "AWS_REGION"];
    assert_eq!(names(container), regional);
}

#[test]
fn so_does_a_credential_variable_beside_our_own_pair() {
    let mut container = with_irsa(web());
    let [role_arn, file] = irsa_pair();
    container["env"] = json!([role_arn, file, {"name": "AWS_PROFILE", "value": "x"}]);
    let mut before = pod(&json!([container]));
    before["spec"]["volumes"] = json!([irsa_volume(86_400)]);
    let outcome = decide(&before, &role(&json!({})), &Settings::default());
    assert_eq!(outcome, Outcome::skip_with(Reason::NothingToAdd, beside("AWS_PROFILE")));
}

#[test]
fn the_other_providers_credentials_are_kept_with_one_warning() {
    for (binding, pair, word) in [
        (role(&json!({})), container_pair(), "container"),
        (container_provider(), irsa_pair(), "web-identity"),
    ] {
        let before = pod(&json!([{"name": "web", "env": pair}]));
        let outcome = decide(&before, &binding, &Settings::default());
        let warning = format!("{word} credentials are already set, and are kept, in container web");
        assert_eq!(outcome, Outcome::skip_with(Reason::LeftAlone, warning));
        let before = pod(&json!([{"name": "a", "env": pair}, {"name": "b", "env": pair}]));
        let outcome = decide(&before, &binding, &Settings::default());
        let warning =
            format!("{word} credentials are already set, and are kept, in containers a, b");
        assert_eq!(outcome, Outcome::skip_with(Reason::LeftAlone, warning));
    }
}

#[test]
fn an_outdated_role_is_kept_with_a_warning() {
    let mut before = pod(&json!([with_irsa(web())]));
    before["spec"]["volumes"] = json!([irsa_volume(86_400)]);
    let changed = role(&json!({ROLE_KEY: "arn:aws:iam::111122223333:role/new"}));
    let outcome = decide(&before, &changed, &Settings::default());
    assert_eq!(outcome, Outcome::skip_with(Reason::NothingToAdd, beside("AWS_ROLE_ARN")));
}

#[test]
fn our_variables_without_a_mount_get_it() {
    let before = pod(&json!([{"name": "web", "env": irsa_pair()}]));
    let patched = patched(&before, &role(&json!({})), &Settings::default());
    assert_eq!(patched["spec"]["containers"][0]["env"], json!(irsa_pair()));
    assert_eq!(patched["spec"]["containers"][0]["volumeMounts"], json!([irsa_mount()]));
    assert_eq!(patched["spec"]["volumes"], json!([irsa_volume(86_400)]));
}

#[test]
fn half_a_pair_is_the_authors_even_beside_our_mount() {
    for half in irsa_pair() {
        let name = half["name"].as_str().unwrap().to_owned();
        let mut container = with_irsa(web());
        container["env"] = json!([half]);
        let mut before = pod(&json!([container]));
        before["spec"]["volumes"] = json!([irsa_volume(86_400)]);
        let outcome = decide(&before, &role(&json!({})), &Settings::default());
        assert_eq!(outcome, Outcome::skip_with(Reason::NothingToAdd, beside(&name)));
    }
}

#[test]
fn credentials_that_another_webhook_completed_need_nothing() {
    let mut before = pod(&json!([with_irsa(web())]));
    before["spec"]["volumes"] = json!([irsa_volume(3607)]);
    let outcome = decide(&before, &role(&json!({})), &Settings::default());
    assert_eq!(outcome, Outcome::skip(Reason::NothingToAdd));
}

#[test]
fn another_volume_with_our_name_is_kept_and_nothing_injected() {
    let mut other_audience = irsa_volume(86_400);
    other_audience["projected"]["sources"][0]["serviceAccountToken"]["audience"] = json!("vault");
    let mut other_file = irsa_volume(86_400);
    other_file["projected"]["sources"][0]["serviceAccountToken"]["path"] = json!("jwt");
    let empty = json!({"name": "aws-iam-token", "emptyDir": {}});
    for volume in [other_audience, other_file, empty] {
        let mut before = pod(&json!([web()]));
        before["spec"]["volumes"] = json!([volume]);
        let outcome = decide(&before, &role(&json!({})), &Settings::default());
        assert_eq!(outcome.reason(), Reason::VolumeTaken);
        assert_eq!(after(&before, &outcome), before);
        assert!(warnings(&outcome)[0].contains("volume aws-iam-token"));
    }
}

/// A pod that mounts a volume of another name where the token should be.
fn mounted(volume: &Value, mount_path: &str, sub_path: &str) -> Value {
    let mount = json!({"name": "mine", "mountPath": mount_path, "subPath": sub_path});
    let mut before = pod(&json!([{"name": "web", "volumeMounts": [mount]}]));
    before["spec"]["volumes"] = json!([volume]);
    before["spec"]["volumes"][0]["name"] = json!("mine");
    before
}

#[test]
fn a_token_under_another_name_at_our_path_counts_as_ours() {
    let path = "/var/run//secrets/eks.amazonaws.com/serviceaccount/";
    let before = mounted(&irsa_volume(3600), path, "");
    let patched = patched(&before, &role(&json!({})), &Settings::default());
    assert_eq!(patched["spec"]["volumes"], before["spec"]["volumes"]);
    let (container, was) = (&patched["spec"]["containers"][0], &before["spec"]["containers"][0]);
    assert_eq!(container["volumeMounts"], was["volumeMounts"]);
    assert_eq!(container["env"], json!(irsa_pair()));
}

#[test]
fn another_mount_at_our_path_leaves_the_container_unchanged() {
    let path = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
    for (volume, sub_path) in [(json!({"emptyDir": {}}), ""), (irsa_volume(3600), "part")] {
        let before = mounted(&volume, path, sub_path);
        let outcome = decide(&before, &role(&json!({})), &Settings::default());
        assert_eq!((outcome.reason(), warnings(&outcome).len()), (Reason::LeftAlone, 1));
        assert_eq!(after(&before, &outcome), before);
        let mut decided = before.clone();
        decided["spec"]["containers"][0]["env"] = json!([{"name": "AWS_PROFILE", "value": "x"}]);
        let outcome = decide(&decided, &role(&json!({})), &Settings::default());
        let warning =
            "container web sets AWS_PROFILE and is not changed; remove it to use the role";
        assert_eq!(outcome, Outcome::skip_with(Reason::LeftAlone, warning));
    }
}

#[test]
fn a_mount_whose_volume_is_missing_gets_its_volume() {
    let before = pod(&json!([{"name": "web", "volumeMounts": [irsa_mount()]}]));
    let patched = patched(&before, &role(&json!({})), &Settings::default());
    assert_eq!(patched["spec"]["volumes"], json!([irsa_volume(86_400)]));
    assert_eq!(patched["spec"]["containers"][0]["volumeMounts"], json!([irsa_mount()]));
}

#[test]
fn a_sidecar_that_was_added_later_is_completed_on_the_second_pass() {
    let settings = Settings::default();
    let mut first = patched(&pod(&json!([web()])), &container_provider(), &settings);
    first["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "late"}));
    let Outcome::Patch { operations, .. } = decide(&first, &container_provider(), &settings) else {
        panic!("the sidecar was not completed");
    };
    let paths: Vec<&str> = operations.iter().map(|op| op.path().as_str()).collect();
    let late = "/spec/containers/1";
    let expected = [format!("{late}/env"), format!("{late}/env/-"), format!("{late}/volumeMounts")];
    assert_eq!(paths, expected);
}
