//! The flags. Those that EKS's webhook has too keep their names and meanings.

mod certificates;
mod check;
mod endpoints;
mod kube;

use std::{net::IpAddr, path::Path};

use clap::Parser;
use podrole_identity::{
    Audience, ClusterIdError, CredentialProvider, DEFAULT_FULL_URI, EndpointPatternError,
    EndpointUrl, Exchange, PermittedEndpoints, SessionNameTemplate, TokenExpiration, TokenVolume,
};
use podrole_runtime::{grant_args::GrantArgs, logging::LogArgs};

use crate::{
    Settings,
    imds::{self, ImdsError},
};
pub use certificates::{CertificateArgs, CertificateSource};
use check::{absolute, file, http_url, name};
pub use endpoints::EndpointArgs;
pub use kube::KubeArgs;

/// Injects AWS credentials into pods, for the roles of their ServiceAccounts
#[derive(Clone, Debug, Parser)]
#[command(name = "podrole-webhook", version)]
pub struct Args {
    /// The port for reviews, over TLS
    #[arg(long, default_value_t = 443)]
    pub port: u16,

    /// The port for /healthz, /readyz and /metrics, over plain HTTP
    #[arg(long, default_value_t = 9999)]
    pub metrics_port: u16,

    /// The address of both ports; `::` on IPv6 and dual-stack clusters
    #[arg(long, default_value = "0.0.0.0", value_name = "IP")]
    pub bind_address: IpAddr,

    /// The cluster
    #[command(flatten)]
    pub kube: KubeArgs,

    /// The serving certificate
    #[command(flatten)]
    pub certificates: CertificateArgs,

    /// Which role a ServiceAccount gets
    #[command(flatten)]
    pub grant: GrantArgs,

    /// The audience of tokens of the provider web-identity
    #[arg(long, default_value = "sts.amazonaws.com", value_name = "AUDIENCE")]
    pub token_audience: Audience,

    /// Where the token of the provider web-identity is mounted
    #[arg(
        long,
        default_value = "/var/run/secrets/eks.amazonaws.com/serviceaccount",
        value_name = "DIR",
        value_parser = absolute
    )]
    pub token_mount_path: String,

    /// How long tokens are valid, in seconds; clamped to 600 to 86400
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS")]
    pub token_expiration: i64,

    /// The region of containers that do not set one
    #[arg(long, value_name = "REGION")]
    pub aws_default_region: Option<String>,

    /// Whether SDKs call the region's STS; true by default if --aws-default-region is set
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub sts_regional_endpoint: Option<bool>,

    /// One endpoint for every AWS service, for emulators; containers get it as AWS_ENDPOINT_URL
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub endpoint_url: Option<String>,

    /// The role session name of the provider web-identity, as in podrole.io/session-name
    ///
    /// With {pod.namespace}.{serviceaccount.name} all sessions of a ServiceAccount have one name. MSK
    /// closes connections whose session name changes. Without this flag each SDK invents a name for
    /// each session.
    #[arg(long, value_name = "TEMPLATE")]
    pub default_session_name: Option<SessionNameTemplate>,

    /// The endpoints that annotations may name
    #[command(flatten)]
    pub endpoints: EndpointArgs,

    /// The audience of tokens of the provider container [default: the exchange's]
    #[arg(long, value_name = "AUDIENCE")]
    pub container_credentials_audience: Option<Audience>,

    /// Where the token of the provider container is mounted
    #[arg(
        long,
        default_value = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
        value_name = "DIR",
        value_parser = absolute
    )]
    pub container_credentials_token_mount_path: String,

    /// The name of the volume of the provider container
    #[arg(long, default_value = "eks-pod-identity-token", value_parser = name)]
    pub container_credentials_token_volume_name: String,

    /// The file name of the token of the provider container
    #[arg(long, default_value = "eks-pod-identity-token", value_parser = file)]
    pub container_credentials_token_path: String,

    /// The URL of the agent for containers
    #[arg(long, default_value = DEFAULT_FULL_URI, value_name = "URL", value_parser = http_url)]
    pub container_credentials_full_uri: String,

    /// EKS's name of --associations. Clusters that set it run EKS's agent, so the default of
    /// --exchange is then eks-auth
    #[arg(long, value_name = "FILE", conflicts_with = "associations")]
    pub watch_container_credentials_config: Option<String>,

    /// Whether to read roles from the ConfigMap pod-identity-webhook, too
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub watch_config_map: bool,

    /// The namespace of that ConfigMap [default: --namespace]
    #[arg(long, value_name = "NAMESPACE")]
    pub config_map_namespace: Option<String>,

    /// The webhook's namespace, with the Secret of its certificate and its Service
    #[arg(long, default_value = "eks", value_name = "NAMESPACE")]
    pub namespace: String,

    /// The instance metadata service, which returns the AWS account of bare role names if
    /// --aws-account-id is not set
    #[arg(
        long,
        env = "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        default_value = "http://169.254.169.254",
        value_name = "URL",
        value_parser = http_url
    )]
    pub instance_metadata_url: String,

    /// The instance's region, after it was read
    #[arg(skip)]
    pub(crate) instance_region: Option<String>,

    /// How long to accept reviews after SIGTERM, in seconds, until every API server has noticed
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    pub shutdown_delay: u64,

    /// The logs
    #[command(flatten)]
    pub logs: LogArgs,
}

/// Flags that cannot be used together, or whose values do not have their form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The cluster's name or ARN.
    #[error(transparent)]
    ClusterId(#[from] ClusterIdError),
    /// An endpoint that would get tokens in clear text.
    #[error("--permitted-endpoint-url: {0}")]
    Endpoint(EndpointPatternError),
}

impl From<EndpointPatternError> for SettingsError {
    /// The error is not a source, because the text has it already.
    fn from(error: EndpointPatternError) -> Self {
        Self::Endpoint(error)
    }
}

impl Args {
    /// The settings for all pods.
    ///
    /// # Errors
    /// If a flag contradicts another, or does not have its form.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let region = self.aws_default_region.clone();
        let region = region.filter(|region| !region.is_empty());
        let called = self.grant.region().or(region.as_deref());
        let called = called.or(self.instance_region.as_deref());
        Ok(Settings {
            annotations: self.grant.annotation_rules(called),
            rules: self.grant.rules(self.exchange(), called)?,
            audience: self.token_audience.clone(),
            token_expiration: TokenExpiration::clamped(self.token_expiration),
            sts_regional_endpoints: self.sts_regional_endpoint.unwrap_or(region.is_some()),
            region,
            endpoint_url: self.endpoint_url.clone(),
            session_name: self.default_session_name.clone(),
            cluster_domain: self.endpoints.cluster_domain.clone(),
            permitted_endpoints: self.permitted_endpoints()?,
            web_identity_volume: TokenVolume {
                mount_path: self.token_mount_path.clone(),
                ..CredentialProvider::WebIdentity.token_volume()
            },
            container_volume: TokenVolume {
                name: self.container_credentials_token_volume_name.clone(),
                mount_path: self.container_credentials_token_mount_path.clone(),
                file: self.container_credentials_token_path.clone(),
            },
            container_full_uri: self.container_credentials_full_uri.clone(),
            container_audience: self.container_credentials_audience.clone(),
        })
    }

    /// The endpoints that annotations may name: those of the flag, and the one that pods get anyway.
    fn permitted_endpoints(&self) -> Result<PermittedEndpoints, EndpointPatternError> {
        let own = self.endpoint_url.as_ref().and_then(|url| url.parse::<EndpointUrl>().ok());
        let permitted = self.endpoints.permitted()?;
        Ok(own.into_iter().fold(permitted, PermittedEndpoints::with))
    }

    /// The exchange in effect.
    #[must_use]
    pub fn exchange(&self) -> Exchange {
        let by_list = self.eks_list().map(|_| Exchange::EksAuth);
        self.grant.exchange.or(by_list).unwrap_or_default()
    }

    /// The association list file.
    #[must_use]
    pub fn associations(&self) -> Option<&Path> {
        self.grant.associations.as_deref().or(self.eks_list())
    }

    /// As in EKS's webhook, an empty path counts as unset.
    fn eks_list(&self) -> Option<&Path> {
        let file = self.watch_container_credentials_config.as_deref();
        file.filter(|path| !path.is_empty()).map(Path::new)
    }

    /// Adds the EC2 instance's AWS account and region, if bare role names need them.
    pub(crate) async fn completed(mut self) -> Result<Self, ImdsError> {
        if self.grant.compose_role_arn && self.grant.aws_account_id.is_none() {
            let instance = imds::read(&self.instance_metadata_url).await?;
            tracing::info!(?instance, "bare role names are of this instance's account");
            self.grant.aws_account_id = Some(instance.aws_account);
            self.instance_region = Some(instance.region);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
