//! The results of EKS's webhook for the same pods, compared after the patch is applied.
//!
//! The known differences: the volume is appended, not prepended; a container whose author decided
//! gives a warning; an empty literal counts as absent; and `resources` and the like do not appear or disappear, because arrays are not serialized again.

use super::*;

#[test]
fn plain_web_identity() {
    let patched = patched(&pod(&json!([web()])), &role(&json!({})), &Settings::default());
    let mut expected = pod(&json!([with_irsa(web())]));
    expected["spec"]["volumes"] = json!([irsa_volume(86_400)]);
    assert_eq!(patched, expected);
}

#[test]
fn region_and_sts_for_init_containers_and_sidecars_too() {
    let settings = Settings {
        region: Some("eu-west-1".to_owned()),
        sts_regional_endpoints: true,
        ..Settings::default()
    };
    let mut before = pod(&json!([web()]));
    before["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    before["spec"]["initContainers"] =
        json!([{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}]);
    let patched = patched(&before, &role(&json!({})), &settings);
    let spec = &patched["spec"];
    assert_eq!(spec["volumes"], json!([{"name": "data", "emptyDir": {}}, irsa_volume(86_400)]));
    let inits = [&spec["initContainers"][0], &spec["initContainers"][1]];
    for container in [&spec["containers"][0], inits[0], inits[1]] {
        let [role, file] = irsa_pair();
        let expected = json!([
            {"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"},
            {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"},
            {"name": "AWS_REGION", "value": "eu-west-1"},
            role, file,
        ]);
        assert_eq!(container["env"], expected);
        assert_eq!(container["volumeMounts"], json!([irsa_mount()]));
    }
    assert_eq!(inits[1]["restartPolicy"], "Always");
}

#[test]
fn a_containers_own_region_is_kept() {
    let settings = Settings { region: Some("eu-west-1".to_owned()), ..Settings::default() };
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        let mut container = web();
        container["env"] = json!([{"name": name, "value": "ap-1"}]);
        let patched = patched(&pod(&json!([container])), &role(&json!({})), &settings);
        let container = &patched["spec"]["containers"][0];
        assert_eq!(names(container), [name, "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"]);
        assert_eq!(container["volumeMounts"], json!([irsa_mount()]));
    }
}

#[test]
fn a_container_with_its_own_role_gets_the_token_alone() {
    for more in [json!([]), json!([{"name": "AWS_REGION"}, {"name": "AWS_STS_REGIONAL_ENDPOINTS"}])]
    {
        let mut container = web();
        let mut env = vec![json!({"name": "AWS_ROLE_ARN", "value": "mine"})];
        env.extend(more.as_array().unwrap().iter().cloned());
        container["env"] = json!(env);
        let before = pod(&json!([container]));
        let patched = after(&before, &decide(&before, &role(&json!({})), &Settings::default()));
        assert_eq!(patched["spec"]["containers"][0]["env"], json!(env));
        assert_eq!(patched["spec"]["containers"][0]["volumeMounts"], json!([irsa_mount()]));
    }
}

#[test]
fn pod_annotations_skip_containers_and_set_the_expiry() {
    let mut before = pod(&json!([web(), {"name": "side", "command": []}]));
    before["metadata"]["annotations"] = json!({
        "eks.amazonaws.com/skip-containers": "side",
        "eks.amazonaws.com/token-expiration": "60",
    });
    let outcome = decide(&before, &role(&json!({})), &Settings::default());
    assert_eq!(warnings(&outcome).len(), 1);
    let patched = after(&before, &outcome);
    assert_eq!(patched["spec"]["volumes"], json!([irsa_volume(600)]));
    let expected = json!([with_irsa(web()), {"name": "side", "command": []}]);
    assert_eq!(patched["spec"]["containers"], expected);
    let again = decide(&patched, &role(&json!({})), &Settings::default());
    assert_eq!(again, Outcome::skip(Reason::NothingToAdd));
}

#[test]
fn windows_has_its_own_token_file_path_and_the_same_mount() {
    let mut before = pod(&json!([web()]));
    before["spec"]["nodeSelector"] = json!({"kubernetes.io/os": "windows"});
    let patched = patched(&before, &role(&json!({})), &Settings::default());
    let container = &patched["spec"]["containers"][0];
    let file = r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token";
    assert_eq!(value(container, "AWS_WEB_IDENTITY_TOKEN_FILE"), file);
    assert_eq!(container["volumeMounts"], json!([irsa_mount()]));
}

#[test]
fn pod_identity() {
    let rules =
        GrantRules { exchange: podrole_identity::Exchange::EksAuth, ..GrantRules::default() };
    let settings = Settings { rules, ..Settings::default() };
    let mut before = pod(&json!([web()]));
    before["metadata"]["labels"] = json!({"app": "web"});
    before["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    let patched = patched(&before, &container_provider(), &settings);
    let labels = json!({"app": "web", "eks.amazonaws.com/pod-identity": "enabled"});
    assert_eq!(patched["metadata"]["labels"], labels);
    let volume = json!({"name": "eks-pod-identity-token", "projected": {"sources": [
        {"serviceAccountToken": {"audience": "pods.eks.amazonaws.com",
            "expirationSeconds": 86_400, "path": "eks-pod-identity-token"}}]}});
    assert_eq!(patched["spec"]["volumes"][1], volume);
    let container = &patched["spec"]["containers"][0];
    assert_eq!(container["env"], json!(container_pair()));
    let mount = json!({"name": "eks-pod-identity-token", "readOnly": true,
        "mountPath": "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"});
    assert_eq!(container["volumeMounts"], json!([mount]));
}

#[test]
fn a_token_volume_that_is_mounted_elsewhere_is_mounted_here_too() {
    let mut container = web();
    container["volumeMounts"] = json!([{"name": "aws-iam-token", "mountPath": "/mine"}]);
    let mut before = pod(&json!([container]));
    before["spec"]["volumes"] = json!([irsa_volume(3600)]);
    let patched = patched(&before, &role(&json!({})), &Settings::default());
    assert_eq!(patched["spec"]["volumes"], json!([irsa_volume(3600)]));
    let mounts = json!([{"name": "aws-iam-token", "mountPath": "/mine"}, irsa_mount()]);
    assert_eq!(patched["spec"]["containers"][0]["volumeMounts"], mounts);
}

#[test]
fn a_service_account_without_a_role_gets_nothing() {
    let binding = bind(&Annotations::new());
    let outcome = decide(&pod(&json!([web()])), &binding, &Settings::default());
    assert_eq!(outcome, Outcome::skip(Reason::NoRole));
}
