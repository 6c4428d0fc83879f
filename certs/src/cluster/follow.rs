//! A watch of the serving certificate's Secret.

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};

use super::secrets::leaf;
use crate::leaf::Leaf;

/// Each content of the Secret `name`, as soon as it is known; `None` if there is nothing to be used.
/// The stream never ends.
pub(crate) fn follow(
    client: Client,
    namespace: &str,
    name: &str,
) -> impl Stream<Item = Option<Leaf>> + Send + use<> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let secrets = Api::<Secret>::namespaced(client, namespace);
    let mut listed = None;
    let mut wording = None;
    watcher(secrets, config).default_backoff().filter_map(move |event| {
        let content = match event {
            Ok(Event::Init) => {
                listed = None;
                None
            }
            Ok(Event::InitApply(secret)) => {
                listed = Some(secret);
                None
            }
            Ok(Event::InitDone) => Some(listed.take().as_ref().and_then(leaf)),
            Ok(Event::Apply(secret)) => Some(leaf(&secret)),
            Ok(Event::Delete(_)) => Some(None),
            Err(error) => {
                let error = error.to_string();
                // Once for each error: it is repeated until it is fixed.
                if wording.as_ref() != Some(&error) {
                    tracing::warn!(
                        error,
                        "could not watch the Secret of the serving certificate; retrying"
                    );
                }
                wording = Some(error);
                None
            }
        };
        std::future::ready(content)
    })
}
