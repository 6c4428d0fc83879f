//! Pods that already have credentials: the author's, another webhook's, ours.

use podrole_identity::variable::USER_DECIDED;

use super::*;

#[test]
fn any_credential_variable_means_that_the_author_decided() {
    for binding in [role(&json!({})), container_provider()] {
        for name in USER_DECIDED {
            for variable in [
                json!({"name": name, "value": "x"}),
                json!({"name": name}),
                json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
            ] {
                let decided = json!({"name": "web", "env": [variable]});
                let before = pod(&json!([decided, {"name": "other"}]));
                let outcome = decide(&before, &binding, &Settings::default());
                assert_eq!(warnings(&outcome).len(), 1, "{name}: {outcome:?}");
                let patched = after(&before, &outcome);
                assert_eq!(patched["spec"]["containers"][0], decided, "{name}");
                assert_eq!(names(&patched["spec"]["containers"][1]).len(), 2, "{name}");
            }
        }
    }
}

#[test]
fn so_does_a_credential_variable_beside_our_own_pair() {
    let mut container = with_irsa(web());
    let [role_arn, file] = irsa_pair();
    container["env"] = json!([role_arn, file, {"name": "AWS_PROFILE", "value": "x"}]);
    let mut before = pod(&json!([container]));
    before["spec"]["volumes"] = json!([irsa_volume(86_400)]);
    let outcome = decide(&before, &role(&json!({})), &Settings::default());
    let warning = "container web sets AWS_PROFILE and is not changed; remove it to use the role";
    assert_eq!(outcome, Outcome::skip_with(Reason::LeftAlone, warning));
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
    assert_eq!((outcome.reason(), warnings(&outcome).len()), (Reason::LeftAlone, 1));
}

#[test]
fn variables_without_a_mount_are_not_completed() {
    let before = pod(&json!([{"name": "web", "env": irsa_pair()}]));
    let outcome = decide(&before, &role(&json!({})), &Settings::default());
    assert_eq!(outcome.reason(), Reason::LeftAlone);
    assert!(warnings(&outcome)[0].contains("no token is mounted"));
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
        let warning =
            format!("container web sets {name} and is not changed; remove it to use the role");
        assert_eq!(outcome, Outcome::skip_with(Reason::LeftAlone, warning));
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
