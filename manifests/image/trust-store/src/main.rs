//! Prints Mozilla's CA certificates as PEM: those of the version of webpki-root-certs that `Cargo.lock` pins, so that the
//! image's trust does not depend on the machine that builds it.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// As PEM has them (RFC 7468).
const LINE: usize = 64;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "# Mozilla's CA certificates, from the package webpki-root-certs")?;
    writeln!(out, "# CDLA-Permissive-2.0: https://cdla.dev/permissive-2-0/")?;
    for certificate in TLS_SERVER_ROOT_CERTS {
        let text = STANDARD.encode(certificate);
        writeln!(out, "-----BEGIN CERTIFICATE-----")?;
        for line in text.as_bytes().chunks(LINE) {
            out.write_all(line)?;
            writeln!(out)?;
        }
        writeln!(out, "-----END CERTIFICATE-----")?;
    }
    Ok(())
}
