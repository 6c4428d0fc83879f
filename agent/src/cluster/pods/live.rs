//! Looks up single pods that the watch has not shown.

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

use super::facts::facts;
use crate::{
    cluster::access::Access,
    node::PodFacts,
    resolve::{Lookup, LookupResult},
    token::Caller,
};

/// A pod. With its UID, because the next pod of a StatefulSet has the same name, and what is known of one says nothing of
/// the other.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PodRef {
    namespace: String,
    name: String,
    uid: String,
}

impl PodRef {
    pub(super) fn of(caller: &Caller) -> Self {
        Self {
            namespace: caller.service_account.namespace().to_owned(),
            name: caller.pod_name.clone(),
            uid: caller.pod_uid.clone(),
        }
    }
}

/// Looks up pods, one at a time.
pub(super) struct LivePods {
    pub(super) client: Client,
    pub(super) access: Access,
}

impl Lookup<PodRef, PodFacts> for LivePods {
    fn find<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, LookupResult<PodFacts>> {
        async {
            let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
            let found = self.access.get(&api, &pod.name).await?;
            // Another pod has its name.
            let found = found.map(|found| facts(&found)).filter(|found| found.uid == pod.uid);
            Ok(found.map(Into::into))
        }
        .boxed()
    }
}
