//! What the modes render, and what the chart refuses.

use anyhow::ensure;

use crate::{helm, objects};

#[test]
fn an_older_kubernetes_is_refused() -> anyhow::Result<()> {
    for mode in ["policy", "both"] {
        let set = format!("webhook.mode={mode}");
        let error = helm::template_for("1.35.9", &[&set]).unwrap_err().to_string();
        let sentence = format!("webhook.mode: {mode} needs MutatingAdmissionPolicy of Kubernetes");
        ensure!(error.contains(&sentence) && error.contains("the cluster has v1.35.9"), "{error}");
        helm::template_for("v1.36.1-eks-a737599", &[&set])?;
    }
    helm::template_for("1.30.0", &["webhook.mode=webhook"])?;
    Ok(())
}

#[test]
fn values_of_the_webhook_are_refused_without_it() -> anyhow::Result<()> {
    for (value, sentence) in [
        ("injection.credentials=web-identity", "injects the provider container only"),
        ("injection.configMap=true", "injection.configMap is for the webhook"),
        ("injection.sessionName=a-session", "injection.sessionName is for the webhook"),
        ("injection.endpointURLs={https://a.example}", "injection.endpointURLs is for the webhook"),
        ("webhook.extraArgs={--token-expiration=600}", "webhook.extraArgs is for the webhook"),
        ("certificates=cert-manager", "certificates: cert-manager is for the webhook"),
    ] {
        let error = helm::template(&["webhook.mode=policy", value]).unwrap_err().to_string();
        ensure!(error.contains(sentence) && error.contains("set "), "{value}: {error}");
        helm::template(&["webhook.mode=both", value])?;
    }
    Ok(())
}

#[test]
fn only_the_controller_is_left_of_the_webhook() -> anyhow::Result<()> {
    let set = ["monitoring.serviceMonitor=true", "monitoring.rules=true"];
    let names = |mode: &str| -> anyhow::Result<Vec<String>> {
        let rendered = helm::template(&[&set[..], &[&format!("webhook.mode={mode}")]].concat())?;
        let rendered = objects::read(&rendered)?;
        let name = |it: &serde_json::Value| format!("{} {}", it["kind"], it["metadata"]["name"]);
        Ok(rendered.iter().map(name).map(|it| it.replace('"', "")).collect())
    };
    let (policy, both) = (names("policy")?, names("both")?);
    ensure!(policy.iter().any(|it| it == "Deployment podrole-controller"), "{policy:?}");
    let left: Vec<_> = policy.iter().filter(|it| it.contains("podrole-webhook")).collect();
    ensure!(left.is_empty(), "{left:?}");
    ensure!(both.iter().any(|it| it == "Deployment podrole-webhook"), "{both:?}");
    for rendered in [&policy, &both] {
        for object in ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"] {
            for name in ["podrole-enabled", "podrole-required"] {
                let object = format!("{object} {name}");
                ensure!(rendered.contains(&object), "no {object} in {rendered:?}");
            }
        }
    }
    let rendered = helm::template(&[&set[..], &["webhook.mode=policy"]].concat())?;
    ensure!(!rendered.contains("PodroleWebhookDown"), "an alert that never ends");
    ensure!(rendered.contains("PodroleControllerDown"), "the other alerts are gone");
    Ok(())
}

/// It is empty there on Kubernetes 1.36, and with Fail every pod would be refused.
#[test]
fn no_expression_reads_the_namespace() -> anyhow::Result<()> {
    let rendered = objects::read(&helm::template(&["webhook.mode=policy"])?)?;
    let policies = rendered.iter().filter(|it| it["kind"] == "MutatingAdmissionPolicy");
    for policy in policies {
        ensure!(!policy.to_string().contains("namespaceObject"), "{policy}");
        ensure!(policy["spec"]["failurePolicy"] == "Fail", "{policy}");
        ensure!(policy["spec"]["reinvocationPolicy"] == "IfNeeded", "{policy}");
    }
    Ok(())
}
