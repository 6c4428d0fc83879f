//! Errors of what is kept in the cluster.

use crate::discovery::DiscoveryError;

/// Why the sandbox's state in the cluster cannot be read or changed. No text of a Secret is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClusterStateError {
    #[error(transparent)]
    Http(#[from] DiscoveryError),
    #[error("the pod's token does not name its ServiceAccount")]
    Token,
    #[error(
        "could not {verb} the {object}: status {status}; the sandbox's ServiceAccount needs get, create and \
         patch of it"
    )]
    Refused { object: String, verb: &'static str, status: u16 },
    #[error("the {object} cannot be used: {reason}; delete it to start anew")]
    Unreadable { object: String, reason: String },
    #[error("the {0} changes too often; retry")]
    Busy(String),
    #[error(
        "the ConfigMap {0} has no room for another role of --auto-roles; delete it to start anew, or put \
         roles into the configuration"
    )]
    Full(String),
    #[error("{0} has 50 roles of --auto-roles; put further ones into the configuration")]
    TooMany(String),
    #[error("the system's random number generator failed")]
    NoRandom,
}
