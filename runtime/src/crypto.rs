//! One crypto library for the whole process.

/// Makes aws-lc-rs rustls's provider. The first thing in each `main`; a second call does nothing.
pub fn install() {
    // An error only says that a provider is there already, which is what we want.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
