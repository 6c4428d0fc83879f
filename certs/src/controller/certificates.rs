//! podrole's own CA: its rotation, and the serving certificate that it signs.

use podrole_runtime::clock::now;

use super::{Controller, RoundError};
use crate::{
    CaBundle, RotationStep,
    cluster::StoredCas,
    leaf::{Leaf, Published},
    path_segment,
    registration::{Owner, hosts},
};

impl Controller {
    /// Takes the rotation step that is due, registers the webhook with the CAs, and issues its
    /// certificate.
    pub(super) async fn with_own_certificates(&mut self, owner: &Owner) -> Result<(), RoundError> {
        let (leaf, version) = self.cluster.leaf().await?;
        let (ca_bundle, segment) = self.cas(leaf.as_ref(), owner).await?;
        let pem = ca_bundle.to_pem();
        let complete = |manifest: crate::registration::Manifest| manifest.completed(&pem, &segment);
        let names = hosts(&self.manifests);
        let wanted = self.manifests.clone().into_iter().map(complete).collect();
        let between = async |controller: &mut Self| {
            let published = Published { ca_bundle: &ca_bundle, segment: &segment, names: &names };
            controller.write_leaf(&published, leaf.as_ref(), version, owner).await
        };
        self.register(wanted, owner, between).await
    }

    async fn write_leaf(
        &self,
        published: &Published<'_>,
        leaf: Option<&Leaf>,
        version: Option<String>,
        owner: &Owner,
    ) -> Result<(), RoundError> {
        let now = now();
        let step = published.due(leaf, now, &self.lifetimes);
        let next = published.leaf(step, leaf, now, &self.lifetimes)?;
        if let Some(next) = next {
            self.still_leads()?;
            self.cluster.write_leaf(&next, version, owner).await?;
            tracing::info!(?step, "wrote the serving certificate");
        }
        Ok(())
    }

    /// The CAs in the Secret, after the step that is due, and the secret part of the path.
    async fn cas(
        &mut self,
        leaf: Option<&Leaf>,
        owner: &Owner,
    ) -> Result<(CaBundle, String), RoundError> {
        let stored = self.cluster.cas().await?;
        let (known, copied) = (self.segment.clone(), leaf.map(|leaf| leaf.segment.clone()));
        let segment = stored.segment.clone().or(known).or(copied);
        let segment = segment.map_or_else(path_segment::generate, Ok)?;
        let (ca_bundle, changed) = self.rotated(&stored, leaf)?;
        if changed || stored.segment.is_none() {
            self.still_leads()?;
            self.cluster.write_cas(&stored, &ca_bundle, &segment, owner).await?;
        }
        (self.last_known, self.segment) = (Some(ca_bundle.clone()), Some(segment.clone()));
        Ok((ca_bundle, segment))
    }

    /// The CAs after the step that is due, and whether the Secret must be written.
    fn rotated(
        &self,
        stored: &StoredCas,
        leaf: Option<&Leaf>,
    ) -> Result<(CaBundle, bool), RoundError> {
        let now = now();
        if stored.unreadable {
            tracing::warn!("could not parse the CAs in the Secret; replacing them");
        }
        let Some(ca_bundle) = stored.ca_bundle.clone().or_else(|| self.last_known.clone()) else {
            let minted = CaBundle::mint(now, &self.lifetimes)?;
            // API servers trust the CA that was lost, and its certificate is being served.
            let names = hosts(&self.manifests);
            let served = leaf.filter(|leaf| leaf.is_trusted(&leaf.bundle, &names, now));
            let kept = |leaf: &Leaf| minted.clone().with_predecessor(leaf.bundle.clone(), now);
            return Ok((served.map_or_else(|| minted.clone(), kept), true));
        };
        let step = ca_bundle.due(now, &self.lifetimes);
        if step != RotationStep::Nothing {
            tracing::info!(?step, "rotating the certificate authorities");
        }
        let next = ca_bundle.step(step, now, &self.lifetimes)?;
        Ok((next, step != RotationStep::Nothing || stored.ca_bundle.is_none()))
    }
}
