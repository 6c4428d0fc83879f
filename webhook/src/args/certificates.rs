//! The flags for the serving certificate.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use podrole_certs::ServingSecret;

use super::check::segment;

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

    /// With `own`: the Secret in --namespace with the certificate that the controller issues
    #[arg(long, default_value = "podrole-webhook-serving", value_name = "NAME")]
    pub serving_secret: String,

    /// With `own`: the Service in --namespace that the API server calls
    #[arg(long, default_value = "podrole-webhook", value_name = "NAME")]
    pub service_name: String,

    /// With `own`: the host in the URL that the API server calls, if it calls no Service
    #[arg(long, value_name = "HOST")]
    pub tls_name: Option<String>,

    /// The webhook configurations that name this webhook; others are conflicts
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
    /// Read --serving-secret, which `podrole-webhook controller` keeps
    Own,
}

impl CertificateArgs {
    /// The Secret of `own`, for a webhook in `namespace`.
    #[must_use]
    pub fn secret(&self, namespace: &str) -> ServingSecret {
        let service = || format!("{}.{namespace}.svc", self.service_name);
        ServingSecret {
            namespace: namespace.to_owned(),
            name: self.serving_secret.clone(),
            host: self.tls_name.clone().unwrap_or_else(service),
        }
    }
}
