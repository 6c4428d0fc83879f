//! The endpoint that pods get, beside their proxies and their DNS policy.

use super::*;

const SANDBOX: &str = "http://podrole-sandbox.podrole.svc:4566";

fn with_endpoint(url: &str) -> Settings {
    Settings { endpoint_url: Some(url.to_owned()), ..Settings::default() }
}

#[test]
fn the_endpoints_host_is_a_proxy_exception_wherever_podrole_sets_it() {
    let host = "podrole-sandbox.podrole.svc";
    let agent = "169.254.170.23,fd00:ec2::23";
    let proxy = json!({"name": "HTTP_PROXY", "value": "http://proxy:3128"});
    let with = |more: Value| json!([proxy, more]);
    let ours = json!({"name": "AWS_ENDPOINT_URL", "value": SANDBOX});
    let other = json!({"name": "AWS_ENDPOINT_URL", "value": "http://emulator:4566"});
    let listed = json!({"name": "NO_PROXY", "value": format!("a,{host}")});
    for (env, endpoint, binding, exceptions) in [
        (json!([proxy]), SANDBOX, role(&json!({})), Some(host.to_owned())),
        (json!([proxy]), SANDBOX, container_provider(), Some(format!("{agent},{host}"))),
        (with(ours), SANDBOX, role(&json!({})), Some(host.to_owned())),
        (with(other), SANDBOX, role(&json!({})), None),
        (with(listed), SANDBOX, role(&json!({})), Some(format!("a,{host}"))),
        (json!([proxy]), "https://s3.example", role(&json!({})), None),
        (json!([]), SANDBOX, container_provider(), None),
    ] {
        let before = pod(&json!([{"name": "web", "env": env}]));
        let patched = patched(&before, &binding, &with_endpoint(endpoint));
        let container = &patched["spec"]["containers"][0];
        let found = names(container).contains(&"NO_PROXY").then(|| value(container, "NO_PROXY"));
        assert_eq!(found, exceptions.as_deref(), "{env} {endpoint}");
    }
}

#[test]
fn pods_that_cannot_resolve_the_endpoint_are_warned_of() {
    let ours = json!({"env": [{"name": "AWS_ENDPOINT_URL", "value": "http://mine"}]});
    let plain = json!({});
    for (spec, more, endpoint, fix) in [
        (json!({"hostNetwork": true}), &plain, SANDBOX, Some("ClusterFirstWithHostNet")),
        (
            json!({"hostNetwork": true, "dnsPolicy": "ClusterFirst"}),
            &plain,
            SANDBOX,
            Some("ClusterFirstWithHostNet"),
        ),
        (
            json!({"hostNetwork": true, "dnsPolicy": "Default"}),
            &plain,
            SANDBOX,
            Some("ClusterFirstWithHostNet"),
        ),
        (json!({"dnsPolicy": "Default"}), &plain, SANDBOX, Some("dnsPolicy: ClusterFirst")),
        (
            json!({"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"}),
            &plain,
            SANDBOX,
            None,
        ),
        (json!({"hostNetwork": true, "dnsPolicy": "None"}), &plain, SANDBOX, None),
        (json!({"hostNetwork": false}), &plain, SANDBOX, None),
        (json!({"hostNetwork": true}), &plain, "http://10.0.0.1:4566", None),
        (json!({"hostNetwork": true}), &plain, "https://sts.example", None),
        (json!({"hostNetwork": true}), &ours, SANDBOX, None),
    ] {
        let mut container = json!({"name": "web"});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut before = pod(&json!([container]));
        before["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let outcome = decide(&before, &role(&json!({})), &with_endpoint(endpoint));
        let warnings = warnings(&outcome).join(" ");
        match fix {
            Some(fix) => assert!(warnings.contains(fix), "{spec} {endpoint}: {warnings}"),
            None => assert!(!warnings.contains("dnsPolicy"), "{spec} {endpoint}: {warnings}"),
        }
    }
    let mut before = pod(&json!([{"name": "web"}]));
    before["spec"]["hostNetwork"] = json!(true);
    let outcome = decide(&before, &role(&json!({})), &with_endpoint(SANDBOX));
    assert_eq!(
        warnings(&outcome),
        [
            "the pod's DNS policy cannot resolve podrole-sandbox.podrole.svc of AWS_ENDPOINT_URL; set \
          dnsPolicy: ClusterFirstWithHostNet"
        ]
    );
}
