//! The IAM API, as much of it as Terraform, Pulumi and the AWS CLI call around a role and a provider.
//!
//! ```text
//!   Call ─► caller: a user of the account signed it ─► OPERATIONS ─► roles, policies, providers
//!                                                          └─► Done (XML, what changed) | Fault
//! ```
//!
//! Users may call all of it: identity policies are judged for `sts:*` and `eks-auth:*` only.
//! Temporary credentials may not, so that no pod changes whom a role trusts.

mod answer;
mod caller;
mod fault;
mod input;
mod page;
mod providers;
mod role_policies;
mod roles;
mod tags;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::{answer::Document, caller::Caller, fault::IamFault, input::Input};
use crate::{
    accounts::Accounts,
    decisions::Decision,
    random,
    sandbox::Sandbox,
    sts::{Call, answer::Answer, parameters::Parameters},
};

const VERSION: &str = "2010-05-08";

/// What an operation changed: it is kept when the file is read again, and across restarts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Change {
    /// A role was made, changed or deleted.
    Role { account: String, name: String },
    /// A provider was.
    Provider { account: String, url: String },
}

/// A yes: what to answer, and what is different now.
struct Done {
    document: Document,
    change: Option<Change>,
}

/// What an operation works with: the account that it is called in, and the time.
struct Desk<'a> {
    operation: &'static str,
    accounts: &'a mut Accounts,
    caller: &'a Caller,
    now: Timestamp,
}

type Operation = fn(&mut Desk<'_>, &Input<'_>) -> Result<Done, IamFault>;

/// All operations, by AWS's names.
const OPERATIONS: [(&str, Operation); 25] = [
    ("CreateRole", roles::create),
    ("GetRole", roles::get),
    ("ListRoles", roles::list),
    ("UpdateRole", roles::update),
    ("UpdateRoleDescription", roles::describe),
    ("UpdateAssumeRolePolicy", roles::update_trust),
    ("DeleteRole", roles::delete),
    ("TagRole", roles::tag),
    ("UntagRole", roles::untag),
    ("ListRoleTags", roles::list_tags),
    ("PutRolePolicy", role_policies::put),
    ("GetRolePolicy", role_policies::get),
    ("DeleteRolePolicy", role_policies::delete),
    ("ListRolePolicies", role_policies::list),
    ("ListAttachedRolePolicies", role_policies::list_attached),
    ("ListInstanceProfilesForRole", role_policies::list_instance_profiles),
    ("CreateOpenIDConnectProvider", providers::create),
    ("GetOpenIDConnectProvider", providers::get),
    ("ListOpenIDConnectProviders", providers::list),
    ("DeleteOpenIDConnectProvider", providers::delete),
    ("AddClientIDToOpenIDConnectProvider", providers::add_client_id),
    ("RemoveClientIDFromOpenIDConnectProvider", providers::remove_client_id),
    ("UpdateOpenIDConnectProviderThumbprint", providers::update_thumbprint),
    ("TagOpenIDConnectProvider", providers::tag),
    ("UntagOpenIDConnectProvider", providers::untag),
];

impl Done {
    fn changed(document: Document, change: Change) -> Self {
        Self { document, change: Some(change) }
    }
}

impl Desk<'_> {
    /// A result of the operation that was called.
    fn result<T: Serialize>(&self, result: &T) -> Document {
        Document::of(self.operation, result)
    }
}

impl From<Document> for Done {
    fn from(document: Document) -> Self {
        Self { document, change: None }
    }
}

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
