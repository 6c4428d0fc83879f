//! The flags for the serving certificate.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use podrole_certs::{RotatorConfig, Route};

use super::check::segment;

/// The entries of our webhook configurations, and what they call.
const ROUTES: [(&str, &str); 3] = [
    ("required.podrole.io", "/mutate/required"),
    ("enabled.podrole.io", "/mutate"),
    ("warnings.podrole.io", "/validate"),
];

/// Where the serving certificate comes from.
#[derive(Clone, Debug, Args)]
pub struct CertificateArgs {
    /// Where the serving certificate comes from
    #[arg(long, default_value = "files", value_name = "SOURCE")]
    pub certificates: CertificateSource,

    /// The serving certificate, PEM; reloaded when it changes
    #[arg(long, default_value = "/etc/webhook/certs/tls.crt", value_name = "FILE")]
    pub tls_cert: PathBuf,

    /// The certificate's key, PEM
    #[arg(long, default_value = "/etc/webhook/certs/tls.key", value_name = "FILE")]
    pub tls_key: PathBuf,

    /// With `own`: the Secret in --namespace that holds the CA; it must exist, and may be empty
    #[arg(long, default_value = "podrole-webhook-ca", value_name = "NAME")]
    pub ca_secret: String,

    /// With `own`: the Service in --namespace that the API server calls
    #[arg(long, default_value = "podrole-webhook", value_name = "NAME")]
    pub service_name: String,

    /// With `own`: another host name in the URL that the API server calls; repeatable
    #[arg(long, value_name = "HOST")]
    pub tls_name: Vec<String>,

    /// With `own`: the webhook configurations whose caBundle to maintain
    #[arg(long, default_value = "podrole", value_name = "NAME")]
    pub webhook_configuration: String,

    /// With `files`: a part of the path that only the webhook configuration names, and without which
    /// a caller gets 404: /SEGMENT/mutate, /SEGMENT/mutate/required, /SEGMENT/validate
    #[arg(long, env = "PODROLE_PATH_SEGMENT", value_name = "SEGMENT", value_parser = segment)]
    pub path_segment: Option<String>,

    /// CA certificates, PEM: a caller with a client certificate of one of them needs no segment
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
}

/// Where the serving certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CertificateSource {
    /// Read --tls-cert and --tls-key, as written by cert-manager or mounted from a Secret
    Files,
    /// Issue it from podrole's own CA, which the replicas share, and maintain the caBundle
    Own,
}

impl CertificateArgs {
    /// The configuration of `own`, for a webhook in `namespace`.
    #[must_use]
    pub fn place(&self, namespace: &str) -> RotatorConfig {
        let service = format!("{}.{namespace}.svc", self.service_name);
        RotatorConfig {
            namespace: namespace.to_owned(),
            secret: self.ca_secret.clone(),
            names: [service].into_iter().chain(self.tls_name.iter().cloned()).collect(),
            configuration: self.webhook_configuration.clone(),
            routes: ROUTES
                .map(|(webhook, path)| Route { webhook: webhook.to_owned(), path: path.to_owned() })
                .to_vec(),
        }
    }
}
