//! Which statement was meant for the caller.

use podrole_sandbox::policy::{MissedPart, StatementMiss};

/// The statement that misses least. Of equal ones the first.
pub(super) fn closest(misses: &[StatementMiss]) -> Option<&StatementMiss> {
    misses.iter().min_by_key(|miss| miss.parts().map(weight).sum::<u32>())
}

/// A statement of another kind of caller is rarely the one that was meant. One of another issuer, which
/// misses its principal and both conditions, often is.
fn weight(part: &MissedPart) -> u32 {
    match part {
        MissedPart::Principal { caller, named, .. } => {
            let kind = caller.split(' ').next();
            let is_same_kind = named.iter().any(|name| name.split(' ').next() == kind);
            if is_same_kind { 4 } else { 8 }
        }
        MissedPart::Action { .. } | MissedPart::Resource { .. } => 3,
        MissedPart::Condition(_) => 1,
    }
}
