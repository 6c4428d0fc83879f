//! The associations of a cluster.

use std::sync::Arc;

use kube::{
    Client,
    api::{DynamicObject, ListParams},
};
use podrole_identity::{Association, EKS_ASSOCIATION_ANNOTATIONS, Kind};
use podrole_runtime::objects;

use super::{
    checked::Checked,
    failure::{Failure, not_installed},
    merged::Merged,
    place::{InputError, Place},
};
use crate::progress::{Progress, grouped};

/// Objects per page of the list.
const PAGE: u32 = 500;

/// Reads all associations, page by page.
///
/// # Errors
/// If the API server cannot be reached, or refuses.
pub(super) async fn read(client: Client, progress: &Progress) -> Result<Merged, Failure> {
    let api = objects::api(client, Kind::Association);
    let (mut merged, mut count, mut params) =
        (Merged::default(), 0, ListParams::default().limit(PAGE));
    loop {
        let list = api.list(&params).await.map_err(|error| failure(&error))?;
        let next = objects::next_page(params, &list.metadata);
        count += list.items.len();
        list.items.into_iter().for_each(|object| merged.add(checked(object)));
        progress.show(|| format!("reading associations: {}", grouped(count)));
        let Some(next) = next else { return Ok(merged) };
        params = next;
    }
}

fn checked(mut object: DynamicObject) -> Result<Checked, Vec<InputError>> {
    let name = object.metadata.name.clone().unwrap_or_default();
    let source: Arc<str> = format!("{} {name}", Kind::Association).into();
    let place = Place { source, line: None };
    let all = object.metadata.annotations.take().unwrap_or_default();
    let annotations = EKS_ASSOCIATION_ANNOTATIONS.into_iter();
    let annotations = annotations.filter_map(|key| Some((key, all.get(key)?.clone()))).collect();
    match Association::read_object(&name, &objects::take_spec(&mut object)) {
        Ok(association) => Checked { place, association, annotations, comments: vec![] }.valid(),
        Err(error) => Err(vec![InputError::new(&place, error.error)]),
    }
}

fn failure(error: &kube::Error) -> Failure {
    Failure::Usage(match error {
        kube::Error::Api(status) if status.code == 404 => anyhow::anyhow!(not_installed()),
        kube::Error::Api(status) if status.code == 403 => anyhow::anyhow!(
            "cannot list associations: {}; ask for ClusterRole podrole-association-viewer",
            status.message.trim_end()
        ),
        kube::Error::Api(status) => anyhow::anyhow!("{}", status.message.trim_end()),
        error => anyhow::anyhow!("could not reach the cluster: {error}"),
    })
}
