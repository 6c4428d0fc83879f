//! A call's way through IAM: which operation, by whom, and what is written down.

use jiff::Timestamp;

use super::{
    answer::{self, Document},
    caller,
    context::Desk,
    fault::IamFault,
    input::Input,
    operations::{OPERATIONS, Operation},
};
use crate::{
    call::Call,
    decisions::Decision,
    random,
    sandbox::Sandbox,
    sts::{answer::Answer, parameters::Parameters},
};

const VERSION: &str = "2010-05-08";

/// Whether a call is for IAM: it names one of its operations, or its version.
pub(crate) fn is_called(parameters: &Parameters) -> bool {
    let action = parameters.get("Action");
    let known = OPERATIONS.iter().any(|(name, _)| Some(*name) == action);
    known || parameters.get("Version") == Some(VERSION)
}

/// Answers a call to IAM.
pub(crate) fn answer(
    sandbox: &Sandbox,
    call: &Call<'_>,
    parameters: &Parameters,
    now: Timestamp,
) -> Answer {
    let request_id = random::uuid().unwrap_or_default();
    let named = parameters.get("Action").unwrap_or_default();
    let operation = OPERATIONS.iter().find(|(name, _)| *name == named);
    let done = match operation {
        Some((name, operation)) => perform(sandbox, call, parameters, (*name, *operation), now),
        None => Err(IamFault::UnknownAction(named.to_owned())),
    };
    let name = operation.map_or("unknown", |(name, _)| *name);
    write_down(sandbox, name, parameters, done.as_ref().err(), now);
    match done {
        Ok(document) => Answer::new(200, request_id.clone(), document.write(name, &request_id)),
        Err(fault) => {
            Answer::new(fault.code().1, request_id.clone(), answer::error(&fault, &request_id))
        }
    }
}

fn perform(
    sandbox: &Sandbox,
    call: &Call<'_>,
    parameters: &Parameters,
    (name, operation): (&'static str, Operation),
    now: Timestamp,
) -> Result<Document, IamFault> {
    let caller = caller::identify(&sandbox.accounts(), &sandbox.sessions(), call, name, now)?;
    let done = {
        let accounts = &mut sandbox.accounts_mut();
        let mut desk = Desk { operation: name, accounts, caller: &caller, now };
        operation(&mut desk, &Input::new(parameters))?
    };
    if let Some(change) = done.change {
        sandbox.note_change(change);
    }
    Ok(done.document)
}

fn write_down(
    sandbox: &Sandbox,
    operation: &'static str,
    parameters: &Parameters,
    fault: Option<&IamFault>,
    now: Timestamp,
) {
    let role = parameters.get("RoleName").or_else(|| parameters.get("OpenIDConnectProviderArn"));
    sandbox.write(Decision {
        at: now,
        operation: operation.into(),
        allowed: fault.is_none(),
        code: fault.map(|fault| fault.code().0.into()),
        role: role.map(|role| role.chars().take(2048).collect()),
        reason: fault
            .map_or_else(|| "signed by a user of the account".to_owned(), IamFault::reason),
    });
}

#[cfg(test)]
mod tests;
