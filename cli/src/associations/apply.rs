//! Server-side apply of associations.

use futures::{StreamExt as _, stream};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use podrole_identity::{API_GROUP, Association, Kind};
use podrole_runtime::objects;

use super::{
    checked::Checked,
    failure::{Failure, not_installed},
    manifest,
};
use crate::output;
use crate::progress::{Progress, grouped};

/// The owner of the fields that are applied.
pub(super) const FIELD_MANAGER: &str = "podrole-import";
/// Requests at once.
const AT_ONCE: usize = 8;

/// How associations are applied.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ApplyOptions {
    /// Whether fields of other managers are taken over.
    pub(super) force: bool,
}

/// Applies all associations, after the API server has accepted each of them in a dry run: an object
/// that it refuses should not leave half of them applied.
///
/// # Errors
/// What the API server refuses; in the dry run nothing is applied.
pub(super) async fn apply(
    client: Client,
    all: &[Checked],
    options: ApplyOptions,
    progress: &Progress,
) -> Result<(), Failure> {
    let api = objects::api(client, Kind::Association);
    let params = PatchParams { force: options.force, ..PatchParams::apply(FIELD_MANAGER) };
    let dry = PatchParams { dry_run: true, ..params.clone() };
    let (_, errors) = pass(&api, all, &dry, "checked", progress).await;
    if !errors.is_empty() {
        let nothing = "podrole: nothing is applied".to_owned();
        return Err(Failure::Apply(errors, nothing));
    }
    let (applied, errors) = pass(&api, all, &params, "applied", progress).await;
    if errors.is_empty() {
        return Ok(());
    }
    let (applied, count) = (grouped(applied), grouped(all.len()));
    Err(Failure::Apply(errors, format!("podrole: applied {applied} of {count}; run it again")))
}

/// Sends all objects, and returns how many were accepted and why others were not. Ends early if no
/// object can be accepted.
async fn pass(
    api: &Api<DynamicObject>,
    all: &[Checked],
    params: &PatchParams,
    verb: &str,
    progress: &Progress,
) -> (usize, Vec<String>) {
    let (mut accepted, mut errors) = (0, Vec::new());
    let mut answers = stream::iter(all).map(|it| send(api, it, params)).buffered(AT_ONCE);
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(()) => {
                accepted += 1;
                if !params.dry_run {
                    progress.done();
                    let kind = Kind::Association.as_str().to_lowercase();
                    // The object is applied, whether its line can be written or not.
                    let _ =
                        output::print(&format!("{kind}.{API_GROUP}/{name} serverside-applied\n"));
                }
            }
            Err(error) => {
                let (text, is_last) = describe(&name, &error);
                errors.push(text);
                if is_last {
                    break;
                }
            }
        }
        let done = accepted + errors.len();
        progress.show(|| format!("{verb} {} of {}", grouped(done), grouped(all.len())));
    }
    progress.done();
    (accepted, errors)
}

async fn send(
    api: &Api<DynamicObject>,
    checked: &Checked,
    params: &PatchParams,
) -> (String, Result<(), kube::Error>) {
    let name = Association::object_name(&checked.association.service_account);
    let answer = api.patch(&name, params, &Patch::Apply(manifest::object(checked))).await;
    (name, answer.map(|_| ()))
}

/// The sentence for an error, and whether each other object would get the same.
fn describe(name: &str, error: &kube::Error) -> (String, bool) {
    let kube::Error::Api(status) = error else {
        return (format!("could not reach the cluster: {error}"), true);
    };
    let message = status.message.trim_end();
    match status.code {
        // Apply creates what is not there, so 404 is about the kind.
        404 => (not_installed(), true),
        401 => (format!("the cluster refuses the kubeconfig's credentials: {message}"), true),
        403 => {
            let hint = "the ClusterRole podrole-association-editor has the right";
            (format!("{name}: {message}; {hint}"), false)
        }
        409 => (format!("{name}: {message}; --force-conflicts takes these fields over"), false),
        _ => (format!("{name}: {message}"), false),
    }
}

#[cfg(test)]
mod tests;
