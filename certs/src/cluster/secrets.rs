//! The two Secrets: the CAs with their keys, which only the controller reads, and the serving
//! certificate, which the listening replicas read.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

use super::{Cluster, ClusterError, apply, bounded};
use crate::{CaBundle, Pair, leaf::Leaf, path_segment::PathSegment, registration::Owner};

/// The key for the CAs with their private keys.
const AUTHORITIES: &str = "authorities.json";
/// The key for the CA certificates.
const BUNDLE: &str = "ca.crt";
/// The key for the secret part of the webhook's path.
const SEGMENT: &str = "path-segment";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The Secret of the CAs as read. By default it does not exist.
#[derive(Default)]
pub(crate) struct StoredCas {
    resource_version: Option<String>,
    /// `None` if the Secret is empty or cannot be parsed.
    pub(crate) ca_bundle: Option<CaBundle>,
    /// The Secret has content that cannot be parsed.
    pub(crate) unreadable: bool,
    /// The secret part of the webhook's path, if there is one that can be used.
    pub(crate) segment: Option<String>,
}

impl Cluster {
    fn ca_secret(&self) -> String {
        format!("{}-ca", self.config.webhook)
    }

    fn leaf_secret(&self) -> String {
        format!("{}-serving", self.config.webhook)
    }

    pub(crate) async fn cas(&self) -> Result<StoredCas, ClusterError> {
        let secret = bounded(self.namespaced::<Secret>().get_opt(&self.ca_secret())).await?;
        let Some(secret) = secret else { return Ok(StoredCas::default()) };
        let stored = secret.data.as_ref().and_then(|data| data.get(AUTHORITIES));
        let ca_bundle = stored.and_then(|stored| serde_json::from_slice(&stored.0).ok());
        let unreadable = stored.is_some() && ca_bundle.is_none();
        let segment = text(&secret, SEGMENT).filter(|segment| PathSegment::is_usable(segment));
        let resource_version = secret.metadata.resource_version;
        Ok(StoredCas { resource_version, ca_bundle, unreadable, segment })
    }

    /// Writes the Secret of the CAs. Fails with [`ClusterError::Conflict`] if it changed since it was
    /// read.
    pub(crate) async fn write_cas(
        &self,
        read: &StoredCas,
        ca_bundle: &CaBundle,
        segment: &str,
        owner: &Owner,
    ) -> Result<(), ClusterError> {
        let stored = serde_json::to_vec(ca_bundle);
        let stored = stored.map_err(|error| ClusterError::Other(error.to_string()))?;
        let bundle = ca_bundle.to_pem().into_bytes();
        let data =
            [(AUTHORITIES, stored), (BUNDLE, bundle), (SEGMENT, segment.as_bytes().to_vec())];
        let version = read.resource_version.clone();
        self.write_secret(&self.ca_secret(), "Opaque", data, version, owner).await
    }

    /// The serving certificate, and the version of its Secret.
    pub(crate) async fn leaf(&self) -> Result<(Option<Leaf>, Option<String>), ClusterError> {
        let secret = bounded(self.namespaced::<Secret>().get_opt(&self.leaf_secret())).await?;
        let Some(secret) = secret else { return Ok((None, None)) };
        Ok((leaf(&secret), secret.metadata.resource_version))
    }

    /// Writes the serving certificate's Secret. Fails with [`ClusterError::Conflict`] if it changed
    /// since it was read.
    pub(crate) async fn write_leaf(
        &self,
        leaf: &Leaf,
        version: Option<String>,
        owner: &Owner,
    ) -> Result<(), ClusterError> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let data = [
            (CERTIFICATE, bytes(leaf.pair.certificates_pem())),
            (KEY, bytes(leaf.pair.key_pem())),
            (BUNDLE, bytes(&leaf.bundle)),
            (SEGMENT, bytes(&leaf.segment)),
        ];
        self.write_secret(&self.leaf_secret(), "kubernetes.io/tls", data, version, owner).await
    }

    async fn write_secret<const N: usize>(
        &self,
        name: &str,
        kind: &str,
        data: [(&str, Vec<u8>); N],
        resource_version: Option<String>,
        owner: &Owner,
    ) -> Result<(), ClusterError> {
        let data = data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value)));
        let metadata = ObjectMeta {
            resource_version,
            owner_references: Some(vec![reference(owner)]),
            ..self.metadata(name)
        };
        let secret = Secret {
            metadata,
            type_: Some(kind.to_owned()),
            data: Some(data.collect::<BTreeMap<_, _>>()),
            ..Secret::default()
        };
        apply(&self.namespaced::<Secret>(), name, &secret).await.map(drop)
    }

    /// A name and the labels of podrole's objects.
    pub(super) fn metadata(&self, name: &str) -> ObjectMeta {
        let labels = [
            ("app.kubernetes.io/name", "podrole"),
            ("app.kubernetes.io/managed-by", super::FIELD_MANAGER),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.into_iter().collect()),
            ..ObjectMeta::default()
        }
    }
}

pub(super) fn reference(owner: &Owner) -> OwnerReference {
    OwnerReference {
        api_version: owner.api_version.to_owned(),
        kind: owner.kind.to_owned(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        ..OwnerReference::default()
    }
}

/// The serving certificate that a Secret holds, if it is complete.
pub(super) fn leaf(secret: &Secret) -> Option<Leaf> {
    let pair = Pair::from_pem(text(secret, CERTIFICATE)?, text(secret, KEY)?);
    let segment = text(secret, SEGMENT).filter(|segment| PathSegment::is_usable(segment))?;
    Some(Leaf { pair, bundle: text(secret, BUNDLE)?, segment })
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok()
}
