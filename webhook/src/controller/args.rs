//! The flags of `podrole-webhook controller`.

use std::{net::IpAddr, time::Duration};

use podrole_certs::ControllerConfig;
use podrole_runtime::{grant_args::GrantArgs, logging::LogArgs};

use super::startup_taint::Agents;
use crate::{CertificateSource, KubeArgs};

/// The flags of the controller.
#[derive(Clone, Debug, clap::Args)]
pub struct ControllerArgs {
    /// The namespace of webhook and controller
    #[arg(long, default_value = "podrole", value_name = "NAMESPACE")]
    pub namespace: String,

    /// The name of the controller's own Deployment, Lease, ServiceAccount and ClusterRole; the latter two
    /// own what it creates
    #[arg(long, default_value = "podrole-controller", value_name = "NAME")]
    pub name: String,

    /// The webhook's Deployment; with `own` its Secrets are NAME-ca and NAME-serving
    #[arg(long, default_value = "podrole-webhook", value_name = "NAME")]
    pub webhook: String,

    /// The ConfigMap with the webhook configurations and the Service to apply, one per key, as YAML
    #[arg(long, default_value = "podrole-registration", value_name = "NAME")]
    pub registration: String,

    /// There is no webhook (webhook.mode: policy): delete the webhook configurations NAME of an earlier
    /// installation, with the Service and the PodDisruptionBudget of --webhook, and apply nothing
    #[arg(long, value_name = "NAME")]
    pub remove_webhook: Option<String>,

    /// `own`: issue the webhook's certificate, and complete the configurations with the caBundle and a secret
    /// path; `files`: apply them as they are
    #[arg(long, default_value = "own", value_name = "SOURCE")]
    pub certificates: CertificateSource,

    /// The name of this replica in the Lease
    #[arg(long, env = "HOSTNAME", default_value = "podrole-controller", value_name = "NAME")]
    pub identity: String,

    /// Remove the taint podrole.io/agent-not-ready from nodes whose agent is ready
    #[arg(long)]
    pub startup_taint: bool,

    /// The namespace of the agents, for --startup-taint and --heal
    #[arg(long, default_value = "podrole-agent", value_name = "NAMESPACE")]
    pub agent_namespace: String,

    /// The labels of the agents' pods, for --startup-taint
    #[arg(
        long,
        default_value = "app.kubernetes.io/name=podrole,app.kubernetes.io/component=agent",
        value_name = "SELECTOR"
    )]
    pub agent_selector: String,

    /// Evict pods that were created without the credential provider that they would get today, in namespaces
    /// labelled podrole.io/heal=evict
    #[arg(long)]
    pub heal: bool,

    /// How long the webhook must have been registered before the first eviction, and the replacement of an evicted pod
    /// have been ready before the workload's next one; a replacement that is not ready after five times this time
    /// stops the workload for a day
    #[arg(long, default_value = "2m", value_name = "DURATION", value_parser = duration)]
    pub heal_wait: Duration,

    /// What decides roles, for the statuses of associations and for --heal
    #[command(flatten)]
    pub grant: GrantArgs,

    /// The port for /healthz, /readyz and /metrics, over plain HTTP
    #[arg(long, default_value_t = 9998)]
    pub metrics_port: u16,

    /// The address of that port; `::` on IPv6 and dual-stack clusters
    #[arg(long, default_value = "0.0.0.0", value_name = "IP")]
    pub bind_address: IpAddr,

    /// The cluster
    #[command(flatten)]
    pub kube: KubeArgs,

    /// The logs
    #[command(flatten)]
    pub logs: LogArgs,
}

impl ControllerArgs {
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn agents(&self) -> Agents {
        Agents { namespace: self.agent_namespace.clone(), selector: self.agent_selector.clone() }
    }

    /// What the flags say of the cluster.
    #[must_use]
    pub fn config(&self) -> ControllerConfig {
        ControllerConfig {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            webhook: self.webhook.clone(),
            registration: self.registration.clone(),
            removed_webhook: self.remove_webhook.clone(),
            own_certificates: self.certificates == CertificateSource::Own,
            identity: self.identity.clone(),
        }
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let duration = parsed.and_then(|it| Duration::try_from(it).ok());
    let whole = |it: &Duration| (1..=3600).contains(&it.as_secs());
    duration.filter(whole).ok_or("it is not a duration of 1 s to 1 h, such as 2m")
}
