//! AssumeRole: from a user or a session to a role, with tags that may go on from there.

use jiff::Timestamp;

use super::{
    caller::Caller,
    fault::Fault,
    hop::{self, Asked, Granted, Life},
    known::Known,
    parameters::Parameters,
};

/// Decides a call that `caller` signed.
pub(crate) fn decide(
    known: Known<'_>,
    caller: &Caller,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Granted, Fault> {
    let asked = read(parameters)?;
    hop::decide(known.accounts, known.credential_life, caller, asked, now)
}

fn read(parameters: &Parameters) -> Result<Asked, Fault> {
    let asked = Asked {
        action: "sts:AssumeRole",
        role: parameters.role()?,
        session_name: parameters.session_name()?,
        life: Life::Asked(parameters.duration()?),
        policies: parameters.session_policies()?,
        tags: parameters.session_tags()?,
        external_id: parameters.external_id()?,
        source_identity: parameters.source_identity()?,
    };
    parameters.check_mfa()?;
    Ok(asked)
}

#[cfg(test)]
mod tests;
