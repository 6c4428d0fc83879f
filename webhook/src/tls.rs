//! The serving certificate: from files, or issued by podrole's own CA.

use std::sync::Arc;

use podrole_certs::{Expires, Lifetimes, start_rotator, watch_files};
use podrole_runtime::{clock::now, health::Gate};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
    registry::Registry,
};
use rustls::ServerConfig;
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
/// If the files cannot be read, or are not a certificate and its key.
pub(crate) async fn serve(
    args: &Args,
    client: &Client,
    certified: Gate,
    expires: Expires,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let flags = &args.certificates;
    if flags.certificates == CertificateSource::Files {
        let config = watch_files(&flags.tls_cert, &flags.tls_key, expires, stop.clone()).await?;
        certified.open();
        return Ok(Some(config));
    }
    let place = flags.place(&args.namespace);
    let lifetimes = Lifetimes::default();
    let rotator = start_rotator(client.clone(), place, lifetimes, certified, expires, stop.clone());
    tokio::select! {
        config = rotator => Ok(Some(config)),
        () = stop.cancelled() => Ok(None),
    }
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
