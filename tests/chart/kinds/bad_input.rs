//! Input that is wrong, or looks wrong: what the API server says of it.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Kind, client, role};

struct Input {
    kind: Kind,
    spec: Value,
    /// A part of the message, if it is refused.
    refused: Option<&'static str>,
}

fn inputs() -> Vec<Input> {
    let input = |kind, spec, refused| Input { kind, spec, refused };
    let policy = |text: &str, refused| {
        let spec = json!({"policy": text, "disableSessionTags": true});
        input(Kind::Association, spec, refused)
    };
    let globs: Vec<_> = (0..65).map(|number| format!("shop-{number}")).collect();
    let role = |arn: &str| json!({"roleARN": arn});
    let should_match = Some("spec.roleARN in body should match");
    vec![
        policy(&role::policy(2049), Some("spec.policy: Too long: may not be ")),
        policy("[]", Some("spec.policy in body should match")),
        policy("\"{}\"", Some("spec.policy in body should match")),
        // A pattern cannot count braces: the daemons refuse it (MalformedPolicy).
        policy("{}}", None),
        policy("{\"Version\": \"2012-10-17\"}\n", None),
        input(Kind::Association, role("arn:aws:iam::111122223333:role/app\n"), should_match),
        input(Kind::Association, role("arn:aws:iam::111122223333:user/app"), should_match),
        input(
            Kind::Association,
            role(&format!("arn:aws:iam::111122223333:role/{}", "n".repeat(65))),
            should_match,
        ),
        input(
            Kind::Association,
            json!({"sessionName": "{pod.uid}"}),
            Some("spec.sessionName in body should match"),
        ),
        // A run of stars is the same as one.
        input(Kind::Pattern, json!({"namespaces": ["**"]}), None),
        input(Kind::Guardrail, json!({"namespaces": ["shop-**"]}), None),
        // All namespaces, as in Kubernetes.
        input(Kind::Pattern, json!({"namespaces": null, "namespaceSelector": {}}), None),
        input(Kind::Guardrail, json!({"namespaces": null, "namespaceSelector": {}}), None),
        input(
            Kind::Pattern,
            json!({"namespaces": globs}),
            Some("spec.namespaces: Too many: 65: must have at most 64"),
        ),
        input(
            Kind::Pattern,
            json!({"serviceAccounts": globs}),
            Some("spec.serviceAccounts: Too many: 65: must have at most 64"),
        ),
    ]
}

#[tokio::test]
async fn bad_input_is_refused_with_the_field_and_the_reason() -> anyhow::Result<()> {
    let client = client().await?;
    for Input { kind, spec, refused } in inputs() {
        match (kind.verdict(&client, &json!({"spec": spec})).await?, refused) {
            (Ok(_), None) => {}
            (Err(message), Some(part)) => ensure!(message.contains(part), "{spec}: {message}"),
            (verdict, _) => anyhow::bail!("{kind:?} {spec}: {verdict:?}"),
        }
    }
    Ok(())
}

/// `namePrefix` of Kustomize, or a release's name before it, breaks the rule about the name; the message has the right one.
#[tokio::test]
async fn a_name_with_a_prefix_is_refused_with_the_right_one() -> anyhow::Result<()> {
    let client = client().await?;
    for name in ["prod-shop.app", "shop-app", "shop.app-1", "app.shop"] {
        let patch = json!({"metadata": {"name": name}});
        let message = Kind::Association.verdict(&client, &patch).await?.unwrap_err();
        let whole = "metadata.name must be shop.app, because there is one association for each ServiceAccount";
        // Kubernetes 1.30 writes what the field is in between.
        let has_both =
            message.contains(" metadata.name: Invalid value: ") && message.ends_with(whole);
        ensure!(has_both, "{name}: {message}");
    }
    Ok(())
}
