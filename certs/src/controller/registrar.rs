//! Registers the webhook, repairs what others changed, and takes the registration back at the end.

use serde_json::Value;

use super::{Controller, RoundError};
use crate::{
    cluster::ClusterError,
    disruption::{BudgetStep, budget_step},
    registration::{Kind, Manifest, Owner},
};

impl Controller {
    /// Brings the objects into the form of `wanted`. `between` runs once API servers know the bundle of
    /// the configuration for pods, if there is one.
    pub(super) async fn register(
        &mut self,
        wanted: Vec<Manifest>,
        owner: &Owner,
        between: impl AsyncFnOnce(&mut Self) -> Result<(), RoundError>,
    ) -> Result<(), RoundError> {
        // An object whose owner does not exist is deleted at once by the garbage collector, and without
        // an owner it would outlive us. At an uninstall the ClusterRole is gone before we are.
        let role = self.cluster.cluster_role().await?;
        let name = &self.cluster.config().name;
        let missing = || ClusterError::Missing { kind: "ClusterRole", name: name.clone() };
        let role = role.ok_or_else(missing)?;
        let owned = |manifest: Manifest| {
            let owner = if manifest.kind.is_configuration() { &role } else { owner };
            manifest.owned_by(owner).sealed()
        };
        let wanted: Vec<_> = wanted.into_iter().map(owned).collect();
        let (pods, others): (Vec<_>, Vec<_>) =
            wanted.iter().partition(|manifest| manifest.kind == Kind::Mutating);
        for manifest in &pods {
            self.repair(manifest).await?;
        }
        between(self).await?;
        // The Service before the configurations that name it; and what gives only warnings last.
        let (budgets, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|manifest| manifest.kind == Kind::DisruptionBudget);
        let (services, warnings): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|manifest| manifest.kind == Kind::Service);
        for manifest in services {
            self.put(manifest).await?;
        }
        for manifest in pods.into_iter().chain(warnings) {
            self.put(manifest).await?;
        }
        for manifest in budgets {
            self.budget(manifest).await?;
        }
        Ok(())
    }

    /// Applies or deletes the PodDisruptionBudget, by where the replicas are.
    async fn budget(&self, wanted: &Manifest) -> Result<(), RoundError> {
        let replicas = self.cluster.ready_replicas().await?;
        match budget_step(replicas.values().map(String::as_str)) {
            BudgetStep::Apply => self.put(wanted).await,
            BudgetStep::Keep => Ok(()),
            BudgetStep::Delete => {
                if self.cluster.found(wanted).await?.is_some() {
                    self.still_leads()?;
                    self.cluster.delete(wanted).await?;
                    let name = wanted.name.as_str();
                    tracing::info!(
                        name,
                        "deleted the PodDisruptionBudget: all replicas share a node, whose drain it would block"
                    );
                }
                Ok(())
            }
        }
    }

    /// Applies an object if there is one in its place and it differs.
    async fn repair(&self, wanted: &Manifest) -> Result<(), RoundError> {
        match self.cluster.found(wanted).await? {
            Some(found) if !wanted.is_met_by(&found) => self.apply(wanted, Some(&found)).await,
            _ => Ok(()),
        }
    }

    /// Applies an object if it differs or does not exist.
    async fn put(&self, wanted: &Manifest) -> Result<(), RoundError> {
        let found = self.cluster.found(wanted).await?;
        if found.as_ref().is_some_and(|found| wanted.is_met_by(found)) {
            return Ok(());
        }
        if found.is_none() && wanted.kind.is_configuration() {
            self.may_create().await?;
        }
        self.apply(wanted, found.as_ref()).await
    }

    /// Before a replica can answer, a configuration would only have pods refused; and one that is made
    /// while we are deleted would stay.
    async fn may_create(&self) -> Result<(), RoundError> {
        if self.cluster.is_being_deleted().await? || !self.cluster.webhook_is_available().await? {
            return Err(RoundError::Unavailable);
        }
        Ok(())
    }

    async fn apply(&self, wanted: &Manifest, found: Option<&Value>) -> Result<(), RoundError> {
        self.still_leads()?;
        self.cluster.apply(wanted, found).await?;
        let (kind, name) = (wanted.kind.as_str(), wanted.name.as_str());
        tracing::info!(kind, name, created = found.is_none(), "applied an object");
        Ok(())
    }

    /// Deletes what an earlier installation registered.
    pub(super) async fn remove_webhook(&self, configurations: &str) -> Result<(), RoundError> {
        let webhook = &self.cluster.config().webhook;
        for manifest in Manifest::of_webhook(configurations, webhook) {
            if self.cluster.found(&manifest).await?.is_none() {
                continue;
            }
            self.still_leads()?;
            if self.cluster.delete(&manifest).await? {
                let (kind, name) = (manifest.kind.as_str(), manifest.name.as_str());
                tracing::info!(
                    kind,
                    name,
                    "deleted an object of the webhook that is not installed"
                );
            }
        }
        Ok(())
    }

    /// Deletes the webhook configurations if the controller itself is being deleted.
    pub(super) async fn unregister_if_deleted(&mut self) {
        let unregistered = async {
            if !self.cluster.is_being_deleted().await? {
                return Ok(());
            }
            if self.cluster.config().removed_webhook.is_some() {
                return Ok(());
            }
            if self.manifests.is_empty() {
                self.manifests = self.cluster.registration().await?;
            }
            for manifest in self.manifests.iter().filter(|it| it.kind.is_configuration()) {
                if self.cluster.delete(manifest).await? {
                    let (kind, name) = (manifest.kind.as_str(), manifest.name.as_str());
                    tracing::info!(kind, name, "deleted a webhook configuration");
                }
            }
            Ok::<_, ClusterError>(())
        };
        if let Err(error) = unregistered.await {
            // helm may have taken our rights already; with the ClusterRole, their owner, they go too.
            tracing::warn!(
                %error,
                "could not delete the webhook configurations; leaving them to the garbage collector"
            );
        }
    }
}
