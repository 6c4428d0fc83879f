//! The pods of `pods.yaml`, and what of a pod is compared.

use std::fs;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use podrole_tests::project;
use serde::Deserialize;
use serde_json::{Value, json};

const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const TOKEN_VOLUME: &str = "eks-pod-identity-token";
/// The webhook shortens tokens of a day by up to two hours.
const ABOUT_A_DAY: std::ops::RangeInclusive<i64> = 79_200..=86_400;

/// A pod, and what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fixture {
    pub(super) name: String,
    /// The containers that the policy gives credentials.
    pub(super) injected: Vec<String>,
    /// Why the webhook does something else.
    #[serde(default)]
    pub(super) differs: Option<String>,
    pod: Value,
}

impl Fixture {
    pub(super) fn all() -> anyhow::Result<Vec<Self>> {
        let file = project::root().join("tests/chart/policy/pods.yaml");
        Ok(serde_saphyr::from_str(&fs::read_to_string(file)?)?)
    }

    /// The whole pod: each container has an image, and without a `generateName` the pod has a name.
    pub(super) fn manifest(&self) -> Value {
        let mut pod = self.pod.clone();
        if pod["metadata"]["generateName"].is_null() {
            pod["metadata"]["name"] = "pod".into();
        }
        if pod["spec"]["serviceAccountName"].is_null() {
            pod["spec"]["serviceAccountName"] = "plain".into();
        }
        for list in ["containers", "initContainers"] {
            for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
                container["image"] = "example.org/app:1".into();
            }
        }
        pod
    }
}

/// A pod as the API server would store it, without what differs between two pods.
pub(super) fn comparable(pod: &Pod) -> anyhow::Result<Value> {
    let mut pod = serde_json::to_value(pod)?;
    let metadata = pod["metadata"].as_object_mut().context("no metadata")?;
    metadata.retain(|key, _| ["labels", "annotations"].contains(&key.as_str()));
    let text = pod.to_string();
    const API_TOKEN: &str = "kube-api-access-";
    let random = text.find(API_TOKEN).map(|at| text[at..at + API_TOKEN.len() + 5].to_owned());
    let text = random.map_or(text.clone(), |random| text.replace(&random, API_TOKEN));
    let mut pod: Value = serde_json::from_str(&text)?;
    for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
        let Some(token) = volume.pointer_mut("/projected/sources/0/serviceAccountToken") else {
            continue;
        };
        if token["path"] == TOKEN_VOLUME
            && token["expirationSeconds"].as_i64().is_some_and(|it| ABOUT_A_DAY.contains(&it))
        {
            token["expirationSeconds"] = json!("about a day");
        }
    }
    for list in ["containers", "initContainers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            // An apply may put a new variable before one of the author's, whose order stays: this sort is stable.
            if let Some(env) = container["env"].as_array_mut() {
                env.sort_by_key(|variable| variable["name"].to_string());
            }
        }
    }
    Ok(pod)
}

/// The names of the containers that have the two variables of the agent, and its token.
pub(super) fn injected(pod: &Value) -> Vec<String> {
    let lists = ["containers", "initContainers"].map(|list| pod["spec"][list].as_array());
    let all = lists.into_iter().flatten().flatten();
    let has = |container: &Value, name: &str, value: &str| {
        let env = container["env"].as_array().into_iter().flatten();
        env.clone().any(|it| it["name"] == name && it["value"].as_str() == Some(value))
    };
    let injected = all.filter(|container| {
        has(container, FULL_URI, "http://169.254.170.23/v1/credentials")
            && has(
                container,
                TOKEN_FILE,
                "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
            )
    });
    injected.filter_map(|container| container["name"].as_str().map(str::to_owned)).collect()
}
