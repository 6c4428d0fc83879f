//! What tokens are checked against.

use jiff::SignedDuration;
use podrole_identity::Audience;

/// The clock skew that is tolerated for `exp`.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How far in the future a token may begin. The API server dates tokens when it makes them, so one that begins later was
/// made by a clock that is ahead of this node's; a node that slept is hours behind.
pub(super) const EARLY: SignedDuration = SignedDuration::from_hours(24);

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
