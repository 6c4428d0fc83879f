//! What each of our ServiceAccounts may do, as the real API server says: a right that is added or lost
//! shows in `golden/rights.txt`.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec},
    core::v1::{Secret, ServiceAccount},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use podrole_tests::project;
use serde_json::json;

use crate::{
    golden,
    installed::{Alone, alone, client_of, release, uninstall},
};

/// Everything that gives a right.
const SET: [&str; 8] = [
    "local.enabled=true",
    "injection.configMap=true",
    "agent.createNamespace=false",
    "agent.startupTaint=true",
    "healing.enabled=true",
    "readers[0].kind=ServiceAccount",
    "readers[0].name=reader",
    "readers[0].namespace=default",
];
/// A namespace in which none of ours has a right of its own.
const ELSEWHERE: &str = "kube-public";
const ACCOUNTS: [(&str, &str); 5] = [
    ("podrole", "podrole-controller"),
    ("podrole", "podrole-webhook"),
    ("podrole-agent", "podrole-agent"),
    ("podrole", "podrole-sandbox"),
    ("default", "reader"),
];

/// The rights of a client in a namespace, and of the whole cluster.
async fn rights(client: Client, namespace: &str) -> anyhow::Result<BTreeSet<String>> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let answer = Api::all(client).create(&PostParams::default(), &review).await?;
    let status = answer.status.context("no status")?;
    ensure!(!status.incomplete, "the API server does not know all");
    let mut lines = BTreeSet::new();
    for rule in status.resource_rules {
        let names = rule.resource_names.unwrap_or_default();
        let names = if names.is_empty() { "any".to_owned() } else { names.join(" ") };
        let mut verbs = rule.verbs;
        verbs.sort();
        for group in rule.api_groups.unwrap_or_default() {
            for resource in rule.resources.iter().flatten() {
                let of = if group.is_empty() { String::new() } else { format!(".{group}") };
                lines.insert(format!("{resource}{of}, {names}: {}", verbs.join(" ")));
            }
        }
    }
    for rule in status.non_resource_rules {
        for url in rule.non_resource_urls.unwrap_or_default() {
            lines.insert(format!("{url}: {}", rule.verbs.join(" ")));
        }
    }
    Ok(lines)
}

#[tokio::test]
async fn each_service_account_has_the_rights_of_the_golden_file() -> anyhow::Result<()> {
    let Alone { cluster, client, kubeconfig, .. } = &alone().await?;
    release("install", &SET, kubeconfig)?;
    // What every ServiceAccount has.
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "podrole");
    let bare = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bare"}});
    accounts.patch("bare", &PatchParams::apply("test"), &Patch::Apply(&bare)).await?;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
    let reader =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}});
    accounts.patch("reader", &PatchParams::apply("test"), &Patch::Apply(&reader)).await?;
    let common = rights(client_of(cluster, "podrole", "bare").await?, "podrole").await?;
    let mut text = String::new();
    for (namespace, name) in ACCOUNTS {
        let client = client_of(cluster, namespace, name).await?;
        let everywhere = rights(client.clone(), ELSEWHERE).await?;
        let default = rights(client.clone(), "default").await?;
        let here = rights(client, namespace).await?;
        writeln!(text, "{namespace}/{name}\n  in the whole cluster")?;
        for line in everywhere.difference(&common) {
            writeln!(text, "    {line}")?;
        }
        writeln!(text, "  in its namespace")?;
        for line in here.difference(&everywhere) {
            writeln!(text, "    {line}")?;
        }
        if default != everywhere {
            writeln!(text, "  in the namespace default")?;
        }
        for line in default.difference(&everywhere) {
            writeln!(text, "    {line}")?;
        }
    }
    uninstall(kubeconfig)?;
    golden::same(&project::root().join("tests/chart/golden/rights.txt"), &text)
}

/// Server-side apply is authorised as `patch`, and if it creates as `create`, both with the object's
/// name. A POST is authorised without a name.
#[tokio::test]
async fn the_controller_creates_only_by_apply_and_only_its_own() -> anyhow::Result<()> {
    let Alone { cluster, kubeconfig, .. } = &alone().await?;
    release("install", &["agent.createNamespace=false"], kubeconfig)?;
    for (name, allowed) in [("podrole-controller", true), ("podrole-webhook", false)] {
        let client = client_of(cluster, "podrole", name).await?;
        let configurations = Api::<MutatingWebhookConfiguration>::all(client.clone());
        let secrets = Api::<Secret>::namespaced(client, "podrole");
        let apply = PatchParams { dry_run: true, ..PatchParams::apply("test").force() };
        let create = PostParams { dry_run: true, ..PostParams::default() };
        for (object, own) in [("podrole", true), ("other", false)] {
            let of = json!({"apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration", "metadata": {"name": object}});
            let applied = configurations.patch(object, &apply, &Patch::Apply(&of)).await;
            let denied = applied.as_ref().err().map(ToString::to_string).unwrap_or_default();
            ensure!(applied.is_ok() == (allowed && own), "{name} {object}: {denied}");
            let posted = configurations.create(&create, &serde_json::from_value(of)?).await;
            ensure!(posted.is_err(), "{name} {object}: a POST has no name to limit it to");
        }
        for (object, own) in [("podrole-webhook-ca", true), ("other", false)] {
            let of = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": object}});
            let applied = secrets.patch(object, &apply, &Patch::Apply(&of)).await;
            ensure!(applied.is_ok() == (allowed && own), "{name} {object}");
            let read = secrets.get_opt(object).await;
            ensure!(read.is_ok() == (allowed && own), "{name} reads {object}");
        }
        ensure!(secrets.list(&kube::api::ListParams::default()).await.is_err(), "{name}");
    }
    uninstall(kubeconfig)?;
    Ok(())
}
