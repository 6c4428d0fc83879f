//! Secrets for containers: turns annotations into volumes, mounts and variables. A Secret that
//! cannot be added becomes a warning that names its annotation.

mod error;
mod placeholders;
mod volume;

use std::collections::BTreeMap;

use json_patch::PatchOperation;
use podrole_identity::{
    DesiredSecret, PodAnnotations, SECRET_VOLUME_PREFIX, Secrets, path_components,
};
use serde_json::json;

use super::operations::{Array, ContainerPatch};
use crate::{binding::Binding, pod::PodView};
use error::SecretError;
use placeholders::{Placeholders, SubPath};
use volume::SecretVolume;

/// One Secret with its checked files.
struct PlannedSecret<'a> {
    annotation: String,
    desired: &'a DesiredSecret,
    /// Absent if the Secret only becomes variables.
    files: Option<Files>,
}

struct Files {
    volume: SecretVolume,
    mount_path: String,
    sub_path: Option<SubPath>,
}

/// The Secrets of one pod.
pub(super) struct SecretPlan<'a> {
    planned: Vec<PlannedSecret<'a>>,
    /// The volumes that a container mounts, by name.
    used: BTreeMap<String, SecretVolume>,
    pub(super) warnings: Vec<String>,
}

/// The Secrets that the pod and its ServiceAccount desire. The pod's take precedence.
pub(super) fn desired(annotations: &PodAnnotations, binding: &Binding) -> Secrets {
    binding.annotations.secrets.under(&annotations.secrets)
}

/// The warnings about a ServiceAccount's Secrets that it may not ask for, in a namespace that has the
/// binding's guard-rail. Nothing is known of its pods.
pub(crate) fn denied(binding: &Binding) -> Vec<String> {
    let placeholders = Placeholders::new(None, &binding.service_account);
    let denied = binding.annotations.secrets.desired().filter_map(|(annotation, desired)| {
        let mount_path = desired.mount_path.as_deref().map(|path| placeholders.fill_fixed(path));
        let denial = desired.permit(mount_path.as_deref(), &binding.permitted_secrets).err()?;
        Some(format!("{annotation}: {denial}"))
    });
    denied.collect()
}

impl<'a> SecretPlan<'a> {
    pub(super) fn new(pod: &PodView, binding: &Binding, secrets: &'a Secrets) -> Self {
        let mut plan = Self { planned: Vec::new(), used: BTreeMap::new(), warnings: Vec::new() };
        if binding.annotations.enforces_mountable_secrets && !secrets.is_empty() {
            // Kubernetes would reject the pod for a Secret that the ServiceAccount does not list.
            let service_account = binding.service_account.name();
            let warning = format!(
                "no Secret added: ServiceAccount {service_account} enforces mountable secrets"
            );
            plan.warnings.push(warning);
            return plan;
        }
        let placeholders = Placeholders::new(pod.name(), &binding.service_account);
        for (annotation, desired) in secrets.desired() {
            let files = files(desired, &placeholders, pod).and_then(|files| {
                let mount_path = files.as_ref().map(|files| files.mount_path.as_str());
                desired.permit(mount_path, &binding.permitted_secrets)?;
                Ok(files)
            });
            match files {
                Ok(files) => plan.planned.push(PlannedSecret { annotation, desired, files }),
                Err(error) => plan.warnings.push(format!("{annotation}: {error}")),
            }
        }
        plan
    }

    /// Adds to a container the Secrets that are missing in it.
    pub(super) fn add_to(&mut self, patch: &mut ContainerPatch<'_>) {
        let name = &patch.container().name;
        for planned in &self.planned {
            let selected = &planned.desired.containers;
            if !selected.is_empty() && !selected.names(name) {
                continue;
            }
            add_variables(planned.desired, patch);
            let Some(files) = &planned.files else {
                continue;
            };
            match add_mount(files, patch) {
                Ok(()) => {
                    let volume = files.volume.clone();
                    self.used.insert(volume.name().to_owned(), volume);
                }
                Err(error) => {
                    let annotation = &planned.annotation;
                    self.warnings.push(format!("{annotation}: container {name}: {error}"));
                }
            }
        }
    }

    /// Adds the volumes that a container mounts and the pod does not have.
    pub(super) fn add_volumes(&self, pod: &PodView, volumes: &mut Array) -> Vec<PatchOperation> {
        let missing = self.used.values().filter(|volume| pod.volume(volume.name()).is_none());
        missing.map(|volume| volumes.push(volume.json())).collect()
    }
}

fn files(
    desired: &DesiredSecret,
    placeholders: &Placeholders<'_>,
    pod: &PodView,
) -> Result<Option<Files>, SecretError> {
    let Some(mount_path) = &desired.mount_path else {
        return Ok(None);
    };
    let volume = SecretVolume::new(desired, placeholders)?;
    if pod.volume(volume.name()).is_some_and(|it| !it.is_of_secret(&desired.secret_name)) {
        return Err(SecretError::VolumeTaken(volume.name().to_owned()));
    }
    Ok(Some(Files {
        volume,
        mount_path: placeholders.fill(mount_path)?,
        sub_path: desired.sub_path.as_deref().map(|path| placeholders.sub_path(path)),
    }))
}

fn add_variables(desired: &DesiredSecret, patch: &mut ContainerPatch<'_>) {
    let Some(prefix) = &desired.env_prefix else {
        return;
    };
    let name = &desired.secret_name;
    if patch.container().env_from.iter().any(|it| it.reads_secret(name, prefix)) {
        return;
    }
    let mut source = json!({ "secretRef": { "name": name } });
    if !prefix.is_empty() {
        source["prefix"] = json!(prefix);
    }
    if desired.optional {
        source["secretRef"]["optional"] = json!(true);
    }
    patch.env_from(source);
}

/// Adds the mount, unless the container has it.
///
/// # Errors
/// If it would cover another mount, or is within one of our mounts: a Secret is read-only, so the
/// runtime could not create the mount point in it and the container would not start.
fn add_mount(files: &Files, patch: &mut ContainerPatch<'_>) -> Result<(), SecretError> {
    let Files { volume, mount_path, sub_path } = files;
    let own: Vec<&str> = path_components(mount_path).collect();
    for (path, mounted) in patch.mounted() {
        let other: Vec<&str> = path_components(path).collect();
        if own == other && mounted == volume.name() {
            return Ok(());
        }
        if other.starts_with(&own) {
            return Err(SecretError::CoversMount(mount_path.clone()));
        }
        let is_ours = mounted.starts_with(SECRET_VOLUME_PREFIX);
        if own.starts_with(&other) && is_ours {
            return Err(SecretError::WithinSecret(mount_path.clone()));
        }
    }
    let mut mount = json!({ "name": volume.name(), "readOnly": true, "mountPath": mount_path });
    match sub_path {
        None => {}
        Some(SubPath::Plain(path)) => mount["subPath"] = json!(path),
        Some(SubPath::NamesPod(expression)) => {
            patch.pod_name();
            mount["subPathExpr"] = json!(expression.as_str());
        }
    }
    patch.mount(mount_path, volume.name(), mount);
    Ok(())
}
