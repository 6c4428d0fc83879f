//! Reads from the cluster what the settings follow from.

use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    apps::v1::{DaemonSet, Deployment},
    core::v1::ConfigMap,
};
use kube::{Api, api::ListParams};

use super::{
    args::SettingsArgs,
    daemon::SELECTOR,
    list_file::ConfigMapKey,
    problem::SettingsProblem,
    resolved::{ClusterSettings, LIST, ROLE_MAP},
};
use crate::cluster::{Reader, Unread};

impl ClusterSettings {
    /// Reads the settings of the cluster. What cannot be read is among the problems.
    ///
    /// # Errors
    /// If `--associations` cannot be read: a usage error.
    pub(crate) async fn read(reader: &Reader, args: &SettingsArgs) -> anyhow::Result<Self> {
        let own_list = args.list()?;
        let (deployments, daemon_sets, problems) = daemons(reader).await;
        let (mut settings, wanted) = Self::from_objects(&deployments, &daemon_sets, args, problems);
        if let Some(list) = own_list {
            settings.list = list;
        }
        if let Some(key) = &wanted.list {
            match text(reader, key).await {
                Ok(Some(text)) => settings.take_list(&text),
                Ok(None) => settings.problem(LIST, missing(key)),
                Err(unread) => settings.problems.push(SettingsProblem::Unread(unread)),
            }
        }
        if let Some(key) = &wanted.role_map {
            match text(reader, key).await {
                // Without the ConfigMap the webhook knows that there are no roles in it.
                Ok(text) => settings.take_role_map(text.as_deref().unwrap_or_default()),
                Err(unread) => settings.problems.push(SettingsProblem::Unread(unread)),
            }
        }
        if let Some(name) = &wanted.configuration {
            let api = Api::<MutatingWebhookConfiguration>::all(reader.client());
            match reader.get(&api, name).await {
                Ok(Some(configuration)) => settings.take_configuration(&configuration),
                Ok(None) => {}
                Err(unread) => settings.problems.push(SettingsProblem::Unread(unread)),
            }
        }
        Ok(settings)
    }
}

async fn daemons(reader: &Reader) -> (Vec<Deployment>, Vec<DaemonSet>, Vec<SettingsProblem>) {
    let labelled = || ListParams::default().labels(SELECTOR);
    let (mut deployments, mut daemon_sets) = (Vec::new(), Vec::new());
    let api = Api::<Deployment>::all(reader.client());
    let first = reader.list(&api, labelled(), |page| deployments.extend(page.items));
    let first = first.await;
    let api = Api::<DaemonSet>::all(reader.client());
    let second = reader.list(&api, labelled(), |page| daemon_sets.extend(page.items)).await;
    let unread = [first, second].into_iter().filter_map(Result::err);
    (deployments, daemon_sets, unread.map(SettingsProblem::Unread).collect())
}

/// The text of a key; `None` if there is none.
async fn text(reader: &Reader, key: &ConfigMapKey) -> Result<Option<String>, Unread> {
    let api = Api::<ConfigMap>::namespaced(reader.client(), &key.namespace);
    let found = reader.get(&api, &key.name).await?;
    Ok(found.and_then(|map| map.data?.remove(&key.key)))
}

fn missing(key: &ConfigMapKey) -> String {
    let ConfigMapKey { namespace, name, key } = key;
    format!("there is no key {key} in ConfigMap {namespace}/{name}")
}
