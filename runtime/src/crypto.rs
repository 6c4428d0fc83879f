//! One crypto library for the whole process.

/// Makes aws-lc-rs the default provider of rustls. Call it first in `main`: a library that builds a
/// TLS configuration earlier would panic. A second call does nothing.
pub fn install() {
    // The only error is that a provider is already installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
