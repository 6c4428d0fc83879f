//! A TLS handshake in memory: could an API server connect to us with the published bundle?

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, pki_types::ServerName,
};

use crate::{pair::provider, verify::roots};

/// Completes a handshake with `server` as a client that trusts `bundle_pem` and calls `name`.
///
/// # Errors
/// If either side rejects the handshake, with the reason.
pub fn self_check(server: &Arc<ServerConfig>, bundle_pem: &str, name: &str) -> io::Result<()> {
    let roots = roots(bundle_pem).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let server = ServerConnection::new(Arc::clone(server)).map_err(io::Error::other)?;
    handshake(client, server)
}

/// Moves records between both sides until the handshake is complete. A round without records ends
/// the loop, which would otherwise spin for ever.
fn handshake(mut client: ClientConnection, mut server: ServerConnection) -> io::Result<()> {
    while client.is_handshaking() || server.is_handshaking() {
        let mut records = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut records)?;
        }
        let mut moved = records.len();
        server.read_tls(&mut records.as_slice())?;
        server.process_new_packets().map_err(io::Error::other)?;
        let mut records = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut records)?;
        }
        moved += records.len();
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest)?;
            client.process_new_packets().map_err(io::Error::other)?;
        }
        if moved == 0 {
            return Err(io::Error::other("the handshake stalled"));
        }
    }
    Ok(())
}
