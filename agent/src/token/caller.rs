//! The pod that sends a token.

use jiff::Timestamp;
use podrole_identity::ServiceAccountRef;

/// The pod that a token identifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The pod's ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID when the token was issued.
    pub service_account_uid: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The pod's node when the token was issued. Kubernetes 1.30 and later include it.
    pub node: Option<String>,
    /// The token's issuer.
    pub issuer: String,
    /// The ID of the key that signed it, if the token names one.
    pub key_id: Option<String>,
    /// The token's audiences: sorted, without duplicates, never empty.
    pub audiences: Vec<String>,
    /// Whether one of them is in [`super::Rules::audiences`]. If not, the token is accepted only if the
    /// ServiceAccount's annotation names one, which [`crate::resolve::decide`] checks.
    pub listed_audience: bool,
    /// When the token expires.
    pub expires: Timestamp,
}
