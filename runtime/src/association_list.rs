//! The association list file, followed in the same way by both daemons.

use std::path::PathBuf;

use podrole_identity::{AssociationList, AssociationListError};
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;

use crate::{followed_file::Following, health::Gate, latest::Latest};

/// Follows the list in `path` until `shutdown`. A missing file is an error; an empty file is an
/// empty list.
pub async fn follow(
    path: PathBuf,
    errors: Gauge,
    first_read: Gate,
    shutdown: CancellationToken,
) -> Latest<AssociationList> {
    let following = Following { path, what: "the association list", parse, errors, first_read };
    following.start(shutdown).await
}

fn parse(text: &str) -> Result<AssociationList, AssociationListError> {
    let list = AssociationList::read(text)?;
    if let Some(service_account) = list.duplicates().first() {
        tracing::warn!(
            namespace = service_account.namespace(),
            service_account = service_account.name(),
            count = list.duplicates().len(),
            "the association list has more than one entry for a ServiceAccount; using the first"
        );
    }
    tracing::info!(entries = list.len(), "read the association list");
    Ok(list)
}
