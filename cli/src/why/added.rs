//! What the webhook would still add to a stored pod.

use std::collections::BTreeSet;

use json_patch::PatchOperation;
use podrole_identity::{CredentialProvider, variable};
use podrole_webhook::{Outcome, Settings, binding::Binding, mutate::mutate, pod::PodView};
use serde_json::Value;

/// The additions to one pod, by the container's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// Containers that lack the provider's variables or its token.
    pub(crate) identity: BTreeSet<String>,
    /// Containers that lack an exception from their proxy.
    pub(crate) no_proxy: BTreeSet<String>,
    /// Other variables that are missing, such as the region.
    pub(crate) settings: BTreeSet<String>,
}

/// The variables without which a container does not use its provider.
const IDENTITY: [&str; 4] = [
    variable::ROLE_ARN,
    variable::WEB_IDENTITY_TOKEN_FILE,
    variable::CONTAINER_FULL_URI,
    variable::CONTAINER_TOKEN_FILE,
];

/// What the webhook would add; `None` if it cannot parse the pod.
pub(crate) fn added(pod: &Value, binding: &Binding, settings: &Settings) -> Option<Added> {
    let view = PodView::read(&pod.to_string()).ok()?;
    let mut added = Added::default();
    let Outcome::Patch { operations, .. } = mutate(&view, binding, settings, 0) else {
        return Some(added);
    };
    for operation in &operations {
        added.note(pod, operation);
    }
    Some(added)
}

impl Added {
    fn note(&mut self, pod: &Value, operation: &PatchOperation) {
        let path = operation.path().to_string();
        let value = match operation {
            PatchOperation::Add(add) => &add.value,
            PatchOperation::Replace(replace) => &replace.value,
            _ => return,
        };
        let mut parts = path.split('/').skip(1);
        let (Some("spec"), Some(list), Some(index)) = (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let container = format!("/spec/{list}/{index}");
        let Some(name) = pod.pointer(&container).and_then(|it| it["name"].as_str()) else { return };
        match parts.next() {
            Some("env") => {
                // A new value of a variable that is there: /spec/containers/0/env/3/value
                let own = parts.next().and_then(|at| {
                    let pointer = format!("{container}/env/{at}/name");
                    pod.pointer(&pointer).and_then(Value::as_str)
                });
                let whole = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                let new = whole.iter().filter_map(|it| it["name"].as_str());
                for variable in own.into_iter().chain(new) {
                    self.note_variable(name, variable);
                }
            }
            Some("volumeMounts") if is_token(value) => drop(self.identity.insert(name.to_owned())),
            _ => {}
        }
    }

    fn note_variable(&mut self, container: &str, variable: &str) {
        if IDENTITY.contains(&variable) {
            self.identity.insert(container.to_owned());
        } else if variable::NO_PROXIES.contains(&variable) {
            self.no_proxy.insert(container.to_owned());
        } else {
            self.settings.insert(variable.to_owned());
        }
    }
}

/// Whether mounts have that of a provider's token among them.
fn is_token(mounts: &Value) -> bool {
    let whole = mounts.as_array().map_or(std::slice::from_ref(mounts), Vec::as_slice);
    whole.iter().any(|mount| {
        let path = mount["mountPath"].as_str().unwrap_or_default();
        CredentialProvider::ALL.iter().any(|it| it.token_volume().is_mounted_at(path))
    })
}
