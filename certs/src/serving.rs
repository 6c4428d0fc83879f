//! The certificate that the next TLS handshake uses.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{Pair, PairError, pair::provider};

/// The certificate that listeners serve. Clones share it; it can be replaced while they run.
#[derive(Clone)]
pub struct Serving {
    current: Arc<ArcSwap<CertifiedKey>>,
}

impl Serving {
    /// Serves `pair`.
    ///
    /// # Errors
    /// If the pair is invalid.
    pub fn new(pair: &Pair) -> Result<Self, PairError> {
        Ok(Self { current: Arc::new(ArcSwap::new(pair.certified()?)) })
    }

    /// Serves `pair` from the next handshake on.
    ///
    /// # Errors
    /// If the pair is invalid; the current one stays.
    pub fn replace(&self, pair: &Pair) -> Result<(), PairError> {
        self.current.store(pair.certified()?);
        Ok(())
    }

    /// Returns a configuration for a listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// Sessions are not resumed. A client that resumes keeps reporting the old certificate, which
    /// would mislead an operator who checks whether a rotation has arrived.
    ///
    /// # Errors
    /// If the crypto library lacks TLS 1.2 or 1.3, which aws-lc-rs does not.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
