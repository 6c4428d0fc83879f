//! The configurations that tests/api registers are the ones that the chart installs.

use std::fs;

use anyhow::ensure;
use podrole_tests::project;
use serde_json::Value;

use crate::{helm, objects};

const COMPONENT: &str = "app.kubernetes.io/component";

/// The objects that the chart gives the controller to apply.
fn applied(set: &[&str]) -> anyhow::Result<Vec<Value>> {
    let rendered = objects::read(&helm::template(set)?)?;
    let map = objects::find(&rendered, "ConfigMap", "podrole-registration")?;
    let texts = map["data"].as_object().into_iter().flatten();
    let texts = texts.filter_map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n---\n");
    objects::read(&texts)
}

/// The one of this kind.
fn registered(set: &[&str], kind: &str) -> anyhow::Result<Value> {
    let rendered = objects::read(&helm::template(set)?)?;
    ensure!(!rendered.iter().any(|it| it["kind"] == kind), "{kind}: helm would install it, too");
    Ok(objects::find(&applied(set)?, kind, "podrole")?.clone())
}

#[test]
fn the_files_for_people_without_helm_say_the_same() -> anyhow::Result<()> {
    for (kind, file) in [
        ("MutatingWebhookConfiguration", "manifests/webhook-configuration.yaml"),
        ("ValidatingWebhookConfiguration", "manifests/validating-webhook-configuration.yaml"),
    ] {
        let written: Value =
            serde_saphyr::from_str(&fs::read_to_string(project::root().join(file))?)?;
        let installed = registered(&[], kind)?;
        ensure!(
            written["webhooks"] == installed["webhooks"],
            "{file} is not what the chart installs"
        );
        ensure!(
            written["metadata"]["name"] == installed["metadata"]["name"],
            "{file}: another name"
        );
    }
    Ok(())
}

#[test]
fn every_namespace_is_looked_at_but_podroles_own() -> anyhow::Result<()> {
    let installed = registered(&["injection.default=all"], "MutatingWebhookConfiguration")?;
    let selector =
        |index: usize| &installed["webhooks"][index]["namespaceSelector"]["matchExpressions"];
    let expression = |index: usize, at: usize| {
        (selector(index)[at]["operator"].clone(), selector(index)[at]["values"].clone())
    };
    let of =
        |operator: &str, values: &[&str]| (Value::from(operator), Value::from(values.to_vec()));
    ensure!(expression(0, 0) == of("NotIn", &["disabled", "required"]), "{}", selector(0));
    ensure!(expression(0, 1) == of("NotIn", &["podrole", "podrole-agent"]), "{}", selector(0));
    // The chart promises to refuse only where the values ask for it.
    ensure!(expression(1, 0) == of("In", &["required"]), "{}", selector(1));
    Ok(())
}

#[test]
fn a_ca_is_rendered_only_where_it_is_given() -> anyhow::Result<()> {
    for (set, given) in [
        (&[][..], false),
        (&["certificates=cert-manager"][..], false),
        (
            &[
                "certificates=files",
                "certificateFiles.secret=tls",
                "certificateFiles.caBundle=Q0E=",
            ],
            true,
        ),
    ] {
        let installed = registered(set, "MutatingWebhookConfiguration")?;
        let bundle = &installed["webhooks"][0]["clientConfig"]["caBundle"];
        ensure!(bundle.is_string() == given, "{set:?}: an apply would blank the CA that is there");
    }
    Ok(())
}

#[test]
fn no_role_reads_secrets_but_its_own_or_everything_of_anything() -> anyhow::Result<()> {
    let set = ["local.enabled=true", "injection.configMap=true"];
    let rendered = objects::read(&helm::template(&set)?)?;
    let mut seen = 0;
    // The roles for people are bound to none of ours: `kinds::roles` and `readers` look at them.
    let is_ours = |role: &Value| {
        let component = &role["metadata"]["labels"][COMPONENT];
        component != "kinds" && component != "reader"
    };
    for role in rendered
        .iter()
        .filter(|it| it["rules"].is_array() && it["kind"] != "PrometheusRule" && is_ours(it))
    {
        seen += 1;
        for rule in role["rules"].as_array().into_iter().flatten() {
            let text = rule.to_string();
            ensure!(!text.contains('*'), "{text}");
            let delicate = ["secrets", "configmaps", "validatingwebhookconfigurations"];

            let named = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
            ensure!(named || !delicate.iter().any(|it| text.contains(it)), "not by name: {text}");
            let writes = ["create", "patch", "update", "delete"];
            let writes = writes.iter().any(|verb| text.contains(&format!("{verb:?}")));
            // Agent and controller write Events, and the controller the status of associations; what else it writes it names.
            let reports =
                text.contains("\"events\"") || text.contains("podidentityassociations/status");
            ensure!(named || !writes || reports, "writes any: {text}");
            let name = role["metadata"]["name"].as_str().unwrap_or_default();
            ensure!(!(writes && name.ends_with("-webhook")), "what pods reach may write: {text}");
            let cluster_wide = role["kind"] == "ClusterRole";
            ensure!(!(cluster_wide && text.contains("secrets")), "of every namespace: {text}");
            for power in ["escalate", "impersonate", "bind\"", "serviceaccounts/token"] {
                ensure!(!text.contains(power), "{text}");
            }
        }
    }
    ensure!(seen == 7, "{seen} roles");
    Ok(())
}

/// The controller decides when there is one (`./test api`, `certificates::drained`).
#[test]
fn a_disruption_budget_is_for_more_than_one_replica_and_lets_unready_pods_go() -> anyhow::Result<()>
{
    let rendered = objects::read(&helm::template(&[])?)?;
    let of_helm = rendered.iter().find(|it| it["kind"] == "PodDisruptionBudget");
    ensure!(of_helm.is_none(), "helm would install it, and it would block a single node's drain");
    let applied_objects = applied(&[])?;
    let spec = &objects::find(&applied_objects, "PodDisruptionBudget", "podrole-webhook")?["spec"];
    ensure!(spec["maxUnavailable"] == 1 && spec["minAvailable"].is_null(), "{spec}");
    ensure!(spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow", "{spec}");
    let webhook = objects::find(&rendered, "Deployment", "podrole-webhook")?;
    ensure!(spec["selector"] == webhook["spec"]["selector"], "{spec}");
    let one = applied(&["webhook.replicas=1"])?;
    ensure!(!one.iter().any(|it| it["kind"] == "PodDisruptionBudget"), "one replica needs none");
    Ok(())
}
