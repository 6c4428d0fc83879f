//! Reads what API servers publish. Key files are never read, so an external signer's keys are published too.

use futures::future::join_all;

use super::documents::{API_SERVER_KEYS, DISCOVERY, DocumentsError, ServerDocuments};
use crate::cluster::{Reader, Unread};

/// Why an API server's documents are not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("{0}: {1}")]
    Unread(String, Unread),
    #[error(transparent)]
    Documents(#[from] DocumentsError),
}

/// Reads the documents of all API servers.
///
/// # Errors
/// If one cannot be read: without its keys, a publication could take away a key that is in use.
pub(crate) async fn read_all(
    servers: &[(String, Reader)],
) -> Result<Vec<ServerDocuments>, SourceError> {
    let all = servers.iter().map(async |(name, reader)| read(name, reader).await);
    join_all(all).await.into_iter().collect()
}

/// Reads the documents of one API server.
///
/// # Errors
/// If one cannot be read.
pub(crate) async fn read(name: &str, reader: &Reader) -> Result<ServerDocuments, SourceError> {
    let unread = |error| SourceError::Unread(name.to_owned(), error);
    let discovery = reader.text(DISCOVERY).await.map_err(unread)?;
    let keys = reader.text(API_SERVER_KEYS).await.map_err(unread)?;
    Ok(ServerDocuments::read(name, discovery.as_bytes(), keys.as_bytes())?)
}
