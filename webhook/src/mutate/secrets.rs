//! Secrets for containers: what is asked for, made into volumes, mounts and variables, or refused
//! with a warning that names the annotation.

mod placeholders;
mod volume;

use std::collections::BTreeMap;

use json_patch::PatchOperation;
use podrole_identity::{DesiredSecret, PodAnnotations, Secrets};
use serde_json::json;

use super::operations::{Array, ContainerPatch, parts};
use crate::{binding::Binding, pod::PodView};
use placeholders::{Places, SubPath};
pub(super) use volume::PREFIX as VOLUME_PREFIX;
use volume::SecretVolume;

/// One Secret, as it will be added.
struct Wanted<'a> {
    annotation: String,
    wish: &'a DesiredSecret,
    /// Absent where it only gives variables.
    files: Option<Files>,
}

struct Files {
    volume: SecretVolume,
    mount_path: String,
    sub_path: Option<SubPath>,
}

/// The Secrets of one pod.
pub(super) struct SecretPlan<'a> {
    wanted: Vec<Wanted<'a>>,
    /// Volumes that a container mounts, by name.
    used: BTreeMap<String, SecretVolume>,
    pub(super) warnings: Vec<String>,
}

/// All Secrets that pod and ServiceAccount ask for.
pub(super) fn asked(said: &PodAnnotations, binding: &Binding) -> Secrets {
    binding.said.secrets.under(&said.secrets)
}

impl<'a> SecretPlan<'a> {
    pub(super) fn new(pod: &PodView, binding: &Binding, secrets: &'a Secrets) -> Self {
        let mut plan = Self { wanted: Vec::new(), used: BTreeMap::new(), warnings: Vec::new() };
        if binding.said.enforces_mountable_secrets && !secrets.is_empty() {
            let account = binding.account.name();
            let warning = format!("{account} enforces mountable secrets: no Secret is added");
            plan.warnings.push(warning);
            return plan;
        }
        let places = Places::new(pod.name(), &binding.account);
        for (annotation, wish) in secrets.wishes() {
            match files(wish, &places, pod) {
                Ok(files) => plan.wanted.push(Wanted { annotation, wish, files }),
                Err(error) => plan.warnings.push(format!("{annotation}: {error}")),
            }
        }
        plan
    }

    /// Adds to a container what it should have and lacks.
    pub(super) fn add_to(&mut self, patch: &mut ContainerPatch<'_>) {
        let name = &patch.container().name;
        for wanted in &self.wanted {
            let chosen = &wanted.wish.containers;
            if !chosen.is_empty() && !chosen.names(name) {
                continue;
            }
            add_variables(wanted.wish, patch);
            let Some(files) = &wanted.files else {
                continue;
            };
            match add_mount(files, patch) {
                Ok(()) => {
                    let volume = files.volume.clone();
                    self.used.insert(volume.name().to_owned(), volume);
                }
                Err(error) => {
                    self.warnings
                        .push(format!("{}: {error} of container {name}", wanted.annotation));
                }
            }
        }
    }

    /// The volumes that are used and not there.
    pub(super) fn add_volumes(&self, pod: &PodView, volumes: &mut Array) -> Vec<PatchOperation> {
        let missing = self.used.values().filter(|volume| pod.volume(volume.name()).is_none());
        missing.map(|volume| volumes.push(volume.json())).collect()
    }
}

fn files(
    wish: &DesiredSecret,
    places: &Places<'_>,
    pod: &PodView,
) -> Result<Option<Files>, String> {
    let Some(mount_path) = &wish.mount_path else {
        return Ok(None);
    };
    let volume = SecretVolume::new(wish, places)?;
    if pod.volume(volume.name()).is_some_and(|there| !there.is_of_secret(&wish.secret_name)) {
        return Err(format!("volume {} is something else; rename it", volume.name()));
    }
    Ok(Some(Files {
        volume,
        mount_path: places.fill(mount_path)?,
        sub_path: wish.sub_path.as_deref().map(|path| places.sub_path(path)),
    }))
}

fn add_variables(wish: &DesiredSecret, patch: &mut ContainerPatch<'_>) {
    let Some(prefix) = &wish.env_prefix else {
        return;
    };
    let name = &wish.secret_name;
    if patch.container().env_from.iter().any(|there| there.brings(name, prefix)) {
        return;
    }
    let mut source = json!({ "secretRef": { "name": name } });
    if !prefix.is_empty() {
        source["prefix"] = json!(prefix);
    }
    if wish.optional {
        source["secretRef"]["optional"] = json!(true);
    }
    patch.env_from(source);
}

/// Adds the mount, unless it is there. It may not cover another, nor lie within a volume of ours,
/// where no directory could be made for it.
fn add_mount(files: &Files, patch: &mut ContainerPatch<'_>) -> Result<(), String> {
    let Files { volume, mount_path, sub_path } = files;
    let own: Vec<&str> = parts(mount_path).collect();
    for (path, there) in patch.mounted() {
        let other: Vec<&str> = parts(path).collect();
        if own == other && there == volume.name() {
            return Ok(());
        }
        if other.starts_with(&own) {
            return Err(format!("{mount_path} would cover a mount"));
        }
        let is_ours = there.starts_with(VOLUME_PREFIX);
        if own.starts_with(&other) && is_ours {
            return Err(format!("{mount_path} lies within another Secret's mount"));
        }
    }
    let mut mount = json!({ "name": volume.name(), "readOnly": true, "mountPath": mount_path });
    match sub_path {
        None => {}
        Some(SubPath::Plain(path)) => mount["subPath"] = json!(path),
        Some(SubPath::NamesPod(expression)) => {
            patch.pod_name();
            mount["subPathExpr"] = json!(expression);
        }
    }
    patch.mount(mount_path, volume.name(), mount);
    Ok(())
}
