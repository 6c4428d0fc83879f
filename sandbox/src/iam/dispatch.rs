//! Handles a call to IAM: finds the operation, authenticates the caller, performs it and records it.

use jiff::Timestamp;

use super::{
    caller,
    context::IamContext,
    error::IamError,
    input::Input,
    operations::{IamOperation, OPERATIONS},
    xml::{self, ResultXml},
};
use crate::{
    call::Call,
    decisions::Decision,
    random,
    sandbox::Sandbox,
    sts::{dispatch::XmlResponse, parameters::Parameters},
};

const VERSION: &str = "2010-05-08";

/// Whether a call is for IAM: it names one of IAM's operations or its version.
pub(crate) fn is_called(parameters: &Parameters) -> bool {
    let action = parameters.get("Action");
    let is_operation = OPERATIONS.iter().any(|(name, _)| Some(*name) == action);
    is_operation || parameters.get("Version") == Some(VERSION)
}

/// Handles a call to IAM and records the decision.
pub(crate) fn answer(
    sandbox: &Sandbox,
    call: &Call<'_>,
    parameters: &Parameters,
    now: Timestamp,
) -> XmlResponse {
    let request_id = random::uuid().unwrap_or_default();
    let named = parameters.get("Action").unwrap_or_default();
    let operation = OPERATIONS.iter().find(|(name, _)| *name == named);
    let done = match operation {
        Some((name, operation)) => perform(sandbox, call, parameters, (*name, *operation), now),
        None => Err(IamError::UnknownAction(named.to_owned())),
    };
    let name = operation.map_or("unknown", |(name, _)| *name);
    write_down(sandbox, (name, &request_id), parameters, done.as_ref().err(), now);
    match done {
        Ok(document) => {
            XmlResponse::new(200, request_id.clone(), document.write(name, &request_id))
        }
        Err(error) => {
            XmlResponse::new(error.code().1, request_id.clone(), xml::error(&error, &request_id))
        }
    }
}

fn perform(
    sandbox: &Sandbox,
    call: &Call<'_>,
    parameters: &Parameters,
    (name, operation): (&'static str, IamOperation),
    now: Timestamp,
) -> Result<ResultXml, IamError> {
    let caller = caller::identify(&sandbox.accounts(), sandbox.session_key(), call, name, now)?;
    let done = {
        let accounts = &mut sandbox.accounts_mut();
        let mut context = IamContext { operation: name, accounts, caller: &caller, now };
        operation(&mut context, &Input::new(parameters))?
    };
    if let Some(change) = done.change {
        sandbox.note_change(change);
    }
    Ok(done.document)
}

fn write_down(
    sandbox: &Sandbox,
    (operation, request_id): (&'static str, &str),
    parameters: &Parameters,
    error: Option<&IamError>,
    now: Timestamp,
) {
    let role = parameters.get("RoleName").or_else(|| parameters.get("OpenIDConnectProviderArn"));
    sandbox.write(Decision {
        at: now,
        request_id: Some(request_id.to_owned()),
        operation: operation.into(),
        allowed: error.is_none(),
        code: error.map(|error| error.code().0.into()),
        role: role.map(|role| role.chars().take(2048).collect()),
        reason: error
            .map_or_else(|| "signed by a user of the account".to_owned(), IamError::reason),
    });
}

#[cfg(test)]
mod tests;
