//! The flags for the serving certificate.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use podrole_certs::RotatorConfig;

/// Where the serving certificate comes from.
#[derive(Clone, Debug, Args)]
pub struct CertificateArgs {
    /// Where the serving certificate comes from
    #[arg(long, default_value = "files", value_name = "SOURCE")]
    pub certificates: CertificateSource,

    /// The serving certificate, PEM; read again when it changes
    #[arg(long, default_value = "/etc/webhook/certs/tls.crt", value_name = "FILE")]
    pub tls_cert: PathBuf,

    /// The certificate's key, PEM
    #[arg(long, default_value = "/etc/webhook/certs/tls.key", value_name = "FILE")]
    pub tls_key: PathBuf,

    /// With `own`: the Secret in --namespace that holds the CA; it must exist, and may be empty
    #[arg(long, default_value = "podrole-webhook-ca", value_name = "NAME")]
    pub ca_secret: String,

    /// With `own`: the Service in --namespace by which the API server calls
    #[arg(long, default_value = "podrole-webhook", value_name = "NAME")]
    pub service_name: String,

    /// With `own`: another name by which the API server calls, the host of a URL; repeatable
    #[arg(long, value_name = "HOST")]
    pub tls_name: Vec<String>,

    /// With `own`: the webhook configurations whose caBundle is kept right
    #[arg(long, default_value = "podrole", value_name = "NAME")]
    pub webhook_configuration: String,
}

/// Where the serving certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CertificateSource {
    /// From --tls-cert and --tls-key, as cert-manager or a mounted Secret leaves them
    Files,
    /// From a CA of podrole's own that the replicas share; the caBundle is kept right too
    Own,
}

impl CertificateArgs {
    /// What `own` needs to know, for a webhook in `namespace`.
    #[must_use]
    pub fn place(&self, namespace: &str) -> RotatorConfig {
        let service = format!("{}.{namespace}.svc", self.service_name);
        RotatorConfig {
            namespace: namespace.to_owned(),
            secret: self.ca_secret.clone(),
            names: [service].into_iter().chain(self.tls_name.iter().cloned()).collect(),
            configuration: self.webhook_configuration.clone(),
        }
    }
}
