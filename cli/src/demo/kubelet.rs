//! Simulates the kubelet: writes the tokens that a pod's new volumes request to their mount paths.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use podrole_identity::Audience;
use serde_json::Value;

/// A token that an injected volume requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedToken {
    pub(crate) audience: Audience,
    pub(crate) expiration_seconds: u32,
    /// The path at which containers read it.
    pub(crate) file: PathBuf,
}

/// An injected volume that no kubelet would mount: a bug in the webhook.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenVolumeError {
    #[error("no container mounts the new volume {0}")]
    NotMounted(String),
    #[error("the token request of the new volume {0} is invalid")]
    InvalidRequest(String),
}

/// The tokens of the projected volumes that `after` has and `before` does not.
pub(crate) fn requested_tokens(
    before: &Value,
    after: &Value,
) -> Result<Vec<RequestedToken>, TokenVolumeError> {
    let known: BTreeSet<&str> = volumes(before).filter_map(name).collect();
    let new =
        volumes(after).filter(|volume| name(volume).is_some_and(|name| !known.contains(name)));
    let mut requested = Vec::new();
    for volume in new {
        let volume_name = name(volume).unwrap_or_default();
        let mount = mount_path(after, volume_name)
            .ok_or_else(|| TokenVolumeError::NotMounted(volume_name.to_owned()))?;
        let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
        let tokens = sources.into_iter().flatten().filter_map(|s| s.get("serviceAccountToken"));
        for token in tokens {
            let token = requested_token(token, mount);
            let invalid = || TokenVolumeError::InvalidRequest(volume_name.to_owned());
            requested.push(token.ok_or_else(invalid)?);
        }
    }
    Ok(requested)
}

/// `None` if a field is missing or invalid.
fn requested_token(token: &Value, mount: &str) -> Option<RequestedToken> {
    let seconds = token.get("expirationSeconds")?.as_u64()?;
    Some(RequestedToken {
        audience: token.get("audience")?.as_str()?.parse().ok()?,
        expiration_seconds: u32::try_from(seconds).ok()?,
        file: Path::new(mount).join(token.get("path")?.as_str()?),
    })
}

/// Writes a token to `file`, which must be below `root`, so that a mount path can never overwrite a
/// file of the user.
/// There is no final newline, because SDKs send the file's content as it is.
pub(crate) fn write(root: &Path, file: &Path, token: &str) -> io::Result<()> {
    if !file.starts_with(root) || file.components().any(|part| part.as_os_str() == "..") {
        let text = format!("{} is outside the demo's folder", file.display());
        return Err(io::Error::other(text));
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

/// All containers, init containers last: the demo shows the first one that was changed.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let spec = pod.get("spec");
    let of = |key| spec.into_iter().flat_map(move |spec| list(spec, key));
    of("containers").chain(of("initContainers"))
}

/// The items of the array `key`; none if it is absent.
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
    fn only_tokens_of_new_volumes_are_requested() {
        let requested = requested_tokens(&json!({"spec": {}}), &pod("v")).unwrap();
        assert_eq!(requested[0].file, Path::new("/x/token"));
        assert_eq!(requested[0].expiration_seconds, 3600);
        assert!(requested_tokens(&pod("v"), &pod("v")).unwrap().is_empty());
    }

    #[test]
    fn tokens_are_not_written_outside_the_folder() {
        let root = tempfile::tempdir().unwrap();
        assert!(write(root.path(), Path::new("/etc/podrole-token"), "t").is_err());
        assert!(write(root.path(), &root.path().join("../out"), "t").is_err());
        write(root.path(), &root.path().join("a/b"), "t").unwrap();
        assert_eq!(fs::read_to_string(root.path().join("a/b")).unwrap(), "t");
    }
}
