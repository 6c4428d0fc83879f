//! The serving certificate: from files, or from the Secret that the controller keeps.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use podrole_certs::{Expires, PathSegment, follow_secret, watch_files};
use podrole_runtime::{clock::now, health::Gate};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
    registry::Registry,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio_util::sync::CancellationToken;

use crate::{Args, args::CertificateSource, cluster::Client};

/// Registers the metric of the certificate's expiry, and returns the value to fill in.
pub(crate) fn register(registry: &mut Registry) -> Expires {
    let expires = Expires::default();
    registry.register_collector(Box::new(UntilExpiry(expires.clone())));
    expires
}

/// Waits for the certificate that the flags ask for, and returns the TLS configuration that serves
/// it and each later one. `certified` is open while the certificate is valid. Returns `None` if the
/// process is stopped before there is a certificate.
///
/// # Errors
/// If the files cannot be read, or are not a certificate and its key, or if --client-ca has no CA.
pub(crate) async fn serve(
    args: &Args,
    client: &Client,
    segment: PathSegment,
    certified: Gate,
    expires: Expires,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let flags = &args.certificates;
    let verifier = flags.client_ca.as_deref().map(verifier).transpose()?;
    let served = if flags.certificates == CertificateSource::Files {
        let config = watch_files(&flags.tls_cert, &flags.tls_key, expires, stop.clone()).await?;
        certified.open();
        config
    } else {
        let (client, secret, stop) = (client.clone(), flags.secret(&args.namespace), stop.clone());
        match follow_secret(client, secret, segment, certified, expires, stop).await {
            Some(config) => config,
            None => return Ok(None),
        }
    };
    with_clients(served, verifier).map(Some)
}

/// What checks client certificates. A client without one is not refused: it may know the path.
fn verifier(file: &Path) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let refused =
        || format!("--client-ca {}: name a PEM file with CA certificates", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).with_context(refused)? {
        roots.add(certificate.with_context(refused)?).with_context(refused)?;
    }
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build();
    verifier.with_context(refused)
}

/// The same configuration with a check of client certificates.
fn with_clients(
    served: Arc<ServerConfig>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> anyhow::Result<Arc<ServerConfig>> {
    let Some(verifier) = verifier else { return Ok(served) };
    let mut config = ServerConfig::builder_with_provider(Arc::clone(served.crypto_provider()))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(&served.cert_resolver));
    config.alpn_protocols.clone_from(&served.alpn_protocols);
    config.send_tls13_tickets = served.send_tls13_tickets;
    config.session_storage = Arc::clone(&served.session_storage);
    Ok(Arc::new(config))
}

/// Seconds to the serving certificate's expiry, computed at the scrape.
#[derive(Debug)]
struct UntilExpiry(Expires);

impl Collector for UntilExpiry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let seconds = ConstGauge::new(self.0.in_seconds(now()));
        let kind = seconds.metric_type();
        let name = "podrole_webhook_certificate_expiry_seconds";
        let help = "Seconds to the expiry of the serving certificate";
        seconds.encode(encoder.encode_descriptor(name, help, None, kind)?)
    }
}
