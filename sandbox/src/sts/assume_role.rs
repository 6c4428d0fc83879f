//! AssumeRole: from a user or role session to a role.

use jiff::Timestamp;

use super::{
    caller::Caller,
    error::StsError,
    inputs::DecisionInputs,
    parameters::Parameters,
    role_step::{self, GrantedSession, RoleStep, SessionLength},
};

/// Decides a call that `caller` signed.
pub(crate) fn decide(
    inputs: DecisionInputs<'_>,
    caller: &Caller,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<GrantedSession, StsError> {
    let step = read(parameters)?;
    role_step::decide(inputs.accounts, inputs.credential_life, caller, step, now)
}

fn read(parameters: &Parameters) -> Result<RoleStep, StsError> {
    let step = RoleStep {
        action: "sts:AssumeRole",
        role: parameters.role()?,
        session_name: parameters.session_name()?,
        length: SessionLength::Requested(parameters.duration()?),
        policies: parameters.session_policies()?,
        tags: parameters.session_tags()?,
        external_id: parameters.external_id()?,
        source_identity: parameters.source_identity()?,
    };
    parameters.check_mfa()?;
    Ok(step)
}

#[cfg(test)]
mod tests;
