//! What tokens are checked against.

use jiff::SignedDuration;
use podrole_identity::Audience;

/// The clock skew that is tolerated for `exp` and `nbf`.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What a token must claim.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The accepted issuers; several while a cluster changes its issuer. If there are none, the key
    /// set names the accepted one.
    pub issuers: Vec<String>,
    /// The accepted audiences.
    pub audiences: Vec<Audience>,
    /// Whether a ServiceAccount's annotation may name another audience (web identity only).
    pub own_audiences: bool,
}
