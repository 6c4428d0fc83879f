//! The ConfigMap that a daemon's file comes from.

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, VolumeMount};

use super::daemon::Daemon;

/// A key of a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigMapKey {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) key: String,
}

/// The ConfigMap of a daemon's file.
///
/// # Errors
/// If the file is on a volume of another type, or on none.
pub(super) fn config_map_of(daemon: &Daemon, path: &str) -> Result<ConfigMapKey, String> {
    let elsewhere = || {
        format!(
            "{path} of {} is in no ConfigMap; give the file with --associations",
            daemon.object()
        )
    };
    // The innermost mount hides the others.
    let mounts = daemon.mounts.iter().filter_map(|mount| Some((mount, below(mount, path)?)));
    let mount = mounts.max_by_key(|(mount, _)| mount.mount_path.trim_end_matches('/').len());
    let (mount, file) = mount.ok_or_else(elsewhere)?;
    let volume = daemon.volumes.iter().find(|volume| volume.name == mount.name);
    let map = volume.and_then(|it| it.config_map.as_ref()).ok_or_else(elsewhere)?;
    let key = key(map, &file).ok_or_else(elsewhere)?;
    Ok(ConfigMapKey { namespace: daemon.namespace.clone(), name: map.name.clone(), key })
}

/// The path of a file within a mount's volume; `None` if it is elsewhere.
fn below(mount: &VolumeMount, path: &str) -> Option<String> {
    let rest = path.strip_prefix(mount.mount_path.trim_end_matches('/'))?;
    let sub = mount.sub_path.as_deref().unwrap_or_default().trim_matches('/');
    match (rest.strip_prefix('/'), sub) {
        (Some(rest), "") => Some(rest.to_owned()),
        (Some(rest), sub) => Some(format!("{sub}/{rest}")),
        (None, sub) => (rest.is_empty() && !sub.is_empty()).then(|| sub.to_owned()),
    }
}

/// The key whose content a file of the volume has.
fn key(map: &ConfigMapVolumeSource, file: &str) -> Option<String> {
    match &map.items {
        Some(items) if !items.is_empty() => {
            items.iter().find(|item| item.path == file).map(|item| item.key.clone())
        }
        _ => (!file.contains('/')).then(|| file.to_owned()),
    }
}
