//! The kubelet's part: the tokens that a pod's new volumes ask for, written where the mounts say.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use podrole_identity::Audience;
use serde_json::Value;

/// A token that the webhook's additions ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedToken {
    pub(crate) audience: Audience,
    pub(crate) expiration_seconds: u32,
    /// Where containers find it.
    pub(crate) file: PathBuf,
}

/// The tokens of projected volumes that `after` has and `before` has not.
pub(crate) fn wanted_tokens(before: &Value, after: &Value) -> Result<Vec<WantedToken>, String> {
    let known: BTreeSet<&str> = volumes(before).filter_map(name).collect();
    let new =
        volumes(after).filter(|volume| name(volume).is_some_and(|name| !known.contains(name)));
    let mut wanted = Vec::new();
    for volume in new {
        let volume_name = name(volume).unwrap_or_default();
        let mount = mount_path(after, volume_name)
            .ok_or_else(|| format!("no container mounts the new volume {volume_name}"))?;
        let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
        let tokens = sources.into_iter().flatten().filter_map(|s| s.get("serviceAccountToken"));
        for token in tokens {
            wanted.push(wanted_token(token, mount).ok_or_else(|| {
                format!("the volume {volume_name} asks for a token that no kubelet would write")
            })?);
        }
    }
    Ok(wanted)
}

fn wanted_token(token: &Value, mount: &str) -> Option<WantedToken> {
    let seconds = token.get("expirationSeconds")?.as_u64()?;
    Some(WantedToken {
        audience: token.get("audience")?.as_str()?.parse().ok()?,
        expiration_seconds: u32::try_from(seconds).ok()?,
        file: Path::new(mount).join(token.get("path")?.as_str()?),
    })
}

/// Writes a token for its owner alone, without a newline at its end, which SDKs refuse. Only
/// below `root`, which the demo made.
pub(crate) fn write(root: &Path, file: &Path, token: &str) -> io::Result<()> {
    if !file.starts_with(root) || file.components().any(|part| part.as_os_str() == "..") {
        return Err(io::Error::other(format!("{} is not below the demo's folder", file.display())));
    }
    fs::create_dir_all(file.parent().unwrap_or(root))?;
    fs::write(file, token)
}

fn volumes(pod: &Value) -> impl Iterator<Item = &Value> {
    pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten()
}

fn name(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

fn mount_path<'a>(pod: &'a Value, volume: &str) -> Option<&'a str> {
    let mounts = containers(pod).flat_map(|container| list(container, "volumeMounts"));
    let mut ours = mounts.filter(|mount| name(mount) == Some(volume));
    ours.find_map(|mount| mount.get("mountPath").and_then(Value::as_str))
}

/// All containers, those of the application before those that only prepare it.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let spec = pod.get("spec");
    let of = |key| spec.into_iter().flat_map(move |spec| list(spec, key));
    of("containers").chain(of("initContainers"))
}

/// The items of an array member, none where it is absent.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(volume: &str) -> Value {
        json!({"spec": {
            "volumes": [{"name": volume, "projected": {"sources": [{"serviceAccountToken":
                {"audience": "sts.amazonaws.com", "expirationSeconds": 3600, "path": "token"}}]}}],
            "containers": [{"name": "a"},
                {"name": "b", "volumeMounts": [{"name": volume, "mountPath": "/x"}]}]}})
    }

    #[test]
    fn only_new_volumes_are_written_where_they_are_mounted() {
        let wanted = wanted_tokens(&json!({"spec": {}}), &pod("v")).unwrap();
        assert_eq!(wanted[0].file, Path::new("/x/token"));
        assert_eq!(wanted[0].expiration_seconds, 3600);
        assert!(wanted_tokens(&pod("v"), &pod("v")).unwrap().is_empty());
    }

    #[test]
    fn nothing_is_written_outside_the_demos_folder() {
        let root = tempfile::tempdir().unwrap();
        assert!(write(root.path(), Path::new("/etc/podrole-token"), "t").is_err());
        assert!(write(root.path(), &root.path().join("../out"), "t").is_err());
        write(root.path(), &root.path().join("a/b"), "t").unwrap();
        assert_eq!(fs::read_to_string(root.path().join("a/b")).unwrap(), "t");
    }
}
