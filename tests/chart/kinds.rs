//! PodIdentityAssociation, PodIdentityPattern and PodIdentityGuardrail on a real API server: what their schemas accept and
//! refuse, and with which message.

mod arns;
mod association;
mod bad_input;
mod every_rule;
mod explained;
mod pass_role;
mod pattern;
mod reference;
mod role;
mod roles;
mod selection;
mod status;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
};
use podrole_tests::wait;
use serde_json::{Value, json};

use crate::{
    helm,
    installed::{Alone, alone, release, uninstall},
    objects,
};

const ROLE: &str = "arn:aws:iam::111122223333:role/shop-app";
const TARGET: &str = "arn:aws:iam::444455556666:role/shop-app";

/// One of the three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Association,
    Pattern,
    Guardrail,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Association, Self::Pattern, Self::Guardrail];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Association => "PodIdentityAssociation",
            Self::Pattern => "PodIdentityPattern",
            Self::Guardrail => "PodIdentityGuardrail",
        }
    }

    pub(crate) fn api(self, client: &Client) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: "podrole.io".to_owned(),
            version: "v1alpha1".to_owned(),
            api_version: "podrole.io/v1alpha1".to_owned(),
            kind: self.name().to_owned(),
            plural: format!("{}s", self.name().to_lowercase()),
        };
        Api::all_with(client.clone(), &resource)
    }

    /// The smallest object of this kind, changed by a JSON merge patch. An association gets the name that its spec asks for,
    /// unless the patch has one.
    pub(crate) fn object(self, patch: &Value) -> anyhow::Result<DynamicObject> {
        let spec = match self {
            Self::Association => {
                json!({"namespace": "shop", "serviceAccount": "app", "roleARN": ROLE})
            }
            Self::Pattern => json!({"namespaces": ["shop-*"], "roleARN": ROLE}),
            Self::Guardrail => json!({"namespaces": ["shop-*"], "permittedRoles": []}),
        };
        let mut object = json!({"apiVersion": "podrole.io/v1alpha1", "kind": self.name(),
            "metadata": {"name": "shop"}, "spec": spec});
        merge(&mut object, patch);
        if self == Self::Association && patch["metadata"]["name"].is_null() {
            let part = |field: &str| object["spec"][field].as_str().unwrap_or("shop").to_owned();
            object["metadata"]["name"] =
                format!("{}.{}", part("namespace"), part("serviceAccount")).into();
        }
        serde_json::from_value(object).context("the object has no metadata")
    }

    /// Whether the API server would create the object; it stores nothing.
    pub(crate) async fn verdict(self, client: &Client, patch: &Value) -> anyhow::Result<Verdict> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        match self.api(client).create(&params, &self.object(patch)?).await {
            Ok(stored) => Ok(Ok(stored)),
            Err(kube::Error::Api(status)) if status.code == 422 => Ok(Err(status.message)),
            Err(error) => bail!("{self:?} {patch}: {error}"),
        }
    }

    /// The schema as the chart renders it.
    pub(crate) fn schema(self) -> anyhow::Result<Value> {
        let rendered = objects::read(&helm::template(&[])?)?;
        let name = format!("{}s.podrole.io", self.name().to_lowercase());
        let crd = objects::find(&rendered, "CustomResourceDefinition", &name)?;
        Ok(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
    }
}

/// The object as it would be stored, or the API server's message.
pub(crate) type Verdict = Result<DynamicObject, String>;

/// RFC 7386.
fn merge(into: &mut Value, patch: &Value) {
    let (Some(fields), Some(changes)) = (into.as_object_mut(), patch.as_object()) else {
        *into = patch.clone();
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert_with(|| json!({})), change);
        }
    }
}

/// A client for a cluster that has the kinds. helm keeps them when it uninstalls the release.
pub(crate) async fn client() -> anyhow::Result<Client> {
    let Alone { client, kubeconfig, .. } = &alone().await?;
    let list = kube::api::ListParams::default().limit(1);
    if Kind::Guardrail.api(client).list(&list).await.is_err() {
        release("install", &["agent.createNamespace=false"], kubeconfig)?;
        uninstall(kubeconfig)?;
    }
    for kind in Kind::ALL {
        let served = async || Ok(kind.api(client).list(&list).await.is_ok());
        wait::until(kind.name(), Duration::from_secs(30), served).await?;
    }
    Ok(client.clone())
}

/// `helm uninstall` must not take the roles of all pods, and the limits of all namespaces, with it.
#[tokio::test]
async fn the_kinds_and_their_objects_outlive_the_release() -> anyhow::Result<()> {
    let client = client().await?;
    let api = Kind::Guardrail.api(&client);
    let object = Kind::Guardrail.object(&json!({"metadata": {"name": "outlives"}}))?;
    api.create(&PostParams::default(), &object).await?;
    let Alone { kubeconfig, .. } = &alone().await?;
    release("install", &["agent.createNamespace=false"], kubeconfig)?;
    let said = uninstall(kubeconfig)?;
    for kind in Kind::ALL {
        let name = format!("[CustomResourceDefinition] {}s.podrole.io", kind.name().to_lowercase());
        ensure!(said.contains(&name), "helm does not say that it keeps {name}: {said}");
    }
    api.get("outlives").await?;
    api.delete("outlives", &kube::api::DeleteParams::default()).await?;
    Ok(())
}

#[test]
fn a_merge_patch_sets_replaces_and_removes() {
    let mut value = json!({"a": 1, "b": {"c": 2, "d": 3}});
    merge(&mut value, &json!({"a": null, "b": {"c": [4]}, "e": {"f": 5}}));
    assert_eq!(value, json!({"b": {"c": [4], "d": 3}, "e": {"f": 5}}));
}
