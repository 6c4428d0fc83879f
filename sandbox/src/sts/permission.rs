//! Whether somebody may do something to a role, or with a cluster.
//!
//! In one account a trust policy that names the caller is enough, and so is a grant to the caller
//! where it names the account; across accounts it takes both. An explicit Deny ends it anywhere.

use crate::{
    accounts::Role,
    policy::{Context, PrincipalMatch, Request, Verdict, evaluate, evaluate_identity},
    sts::caller::Caller,
};

/// Whether the role and the caller's own policies let the caller do `action` to the role: by which
/// statement, or why not.
pub(crate) fn on_role(
    caller: &Caller,
    role: &Role,
    action: &str,
    context: &Context,
) -> Result<String, String> {
    let resource = role.arn.as_str();
    let request = Request { principal: caller.principal(), action, resource, context };
    let (trusting, named) = match evaluate(&role.trust_policy, &request) {
        Verdict::Allowed { statement, named } => (statement, named),
        Verdict::Denied { reason, .. } => return Err(format!("the trust policy: {reason}")),
    };
    let Some(account) = caller.account() else {
        // Neither a service nor a provider has policies of its own.
        return Ok(format!("{trusting} of the trust policy"));
    };
    let own = judge_own(caller, &request);
    let session = judge_session(caller, &request);
    for judged in [&own, &session] {
        if let Judged::Denied(reason) = judged {
            return Err(reason.clone());
        }
    }
    let one_account = account == role.arn.account();
    if one_account && named == PrincipalMatch::Session {
        return Ok(format!("{trusting} of the trust policy"));
    }
    if let Judged::Nothing(reason) = session {
        return Err(reason);
    }
    match own {
        _ if one_account && named == PrincipalMatch::Itself => {
            Ok(format!("{trusting} of the trust policy"))
        }
        Judged::Allowed(statement) => Ok(format!("{trusting} of the trust policy and {statement}")),
        Judged::Denied(reason) | Judged::Nothing(reason) if one_account => {
            Err(format!("the trust policy names the account alone, and {reason}"))
        }
        Judged::Denied(reason) | Judged::Nothing(reason) => {
            Err(format!("the role is of another account, and {reason}"))
        }
    }
}

/// Whether the caller's own policies let the caller do `action` to something without a policy.
pub(crate) fn on_resource(
    caller: &Caller,
    resource: &str,
    action: &str,
    context: &Context,
) -> Result<String, String> {
    let request = Request { principal: caller.principal(), action, resource, context };
    if let Judged::Denied(reason) | Judged::Nothing(reason) = judge_session(caller, &request) {
        return Err(reason);
    }
    match judge_own(caller, &request) {
        Judged::Allowed(statement) => Ok(statement),
        Judged::Denied(reason) | Judged::Nothing(reason) => Err(reason),
    }
}

enum Judged {
    Allowed(String),
    /// Explicitly.
    Denied(String),
    Nothing(String),
}

fn judge_own(caller: &Caller, request: &Request<'_>) -> Judged {
    let policies = caller.policies.iter().map(|(name, policy)| (name.as_str(), policy));
    judged(evaluate_identity(policies, request), "the caller's policies")
}

/// A session policy limits; without one there is no limit.
fn judge_session(caller: &Caller, request: &Request<'_>) -> Judged {
    match &caller.attributes.policy {
        None => Judged::Allowed(String::new()),
        Some(policy) => {
            let policies = [("session", policy)];
            judged(evaluate_identity(policies, request), "the caller's session policy")
        }
    }
}

fn judged(verdict: Verdict, whose: &str) -> Judged {
    match verdict {
        Verdict::Allowed { statement, .. } => Judged::Allowed(statement),
        Verdict::Denied { reason, explicit: true } => Judged::Denied(format!("{whose}: {reason}")),
        Verdict::Denied { reason, .. } => Judged::Nothing(format!("{whose}: {reason}")),
    }
}
