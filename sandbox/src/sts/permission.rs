//! Whether a caller may perform an action on a role or a cluster.
//!
//! Within one account it is enough that the trust policy names the caller; if it only names the account, the
//! caller's own policies must allow the action too. Across accounts both must allow it. An explicit Deny in
//! any policy wins.

use crate::{
    accounts::Role,
    policy::{Context, Principal, PrincipalMatch, Request, Verdict, evaluate, evaluate_identity},
    sts::caller::Caller,
};

/// Evaluates the trust policy and the caller's policies for `action` on the role. Returns the statements that
/// allow it, or the reason for the denial.
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
        Verdict::Denied(denial) => return Err(format!("the trust policy: {denial}")),
    };
    let Some(account) = caller.account() else {
        // Services and identities of a provider have no policies of their own.
        let note = everyone_passes(role, &request);
        return Ok(format!("{trusting} of the trust policy{note}"));
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
            Err(format!("the trust policy only names the account, and {reason}"))
        }
        Judged::Denied(reason) | Judged::Nothing(reason) => {
            Err(format!("the role is in another account, and {reason}"))
        }
    }
}

/// A warning if a token of any ServiceAccount would do: the condition on its subject is missing, or a `*`.
fn everyone_passes(role: &Role, request: &Request<'_>) -> &'static str {
    let Principal::Federated(provider) = request.principal else {
        return "";
    };
    let issuer = provider.split_once("oidc-provider/").map_or(provider, |(_, issuer)| issuer);
    let stranger = "system:serviceaccount:any-namespace.podrole.io:any-name.podrole.io";
    let context = request.context.clone().with(&format!("{issuer}:sub"), [stranger]);
    match evaluate(&role.trust_policy, &Request { context: &context, ..*request }) {
        Verdict::Allowed { .. } => {
            ", which every ServiceAccount of the issuer passes; add a condition on the key :sub"
        }
        Verdict::Denied(_) => "",
    }
}

/// Evaluates the caller's policies for `action` on a resource without a policy of its own.
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
    /// By an explicit Deny.
    Denied(String),
    Nothing(String),
}

fn judge_own(caller: &Caller, request: &Request<'_>) -> Judged {
    let policies = caller.policies.iter().map(|(name, policy)| (name.as_str(), policy));
    judged(evaluate_identity(policies, request), "the caller's policies")
}

/// The session policy. Without one everything is allowed here, because it only restricts.
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
        Verdict::Denied(denial) if denial.is_explicit() => {
            Judged::Denied(format!("{whose}: {denial}"))
        }
        Verdict::Denied(denial) => Judged::Nothing(format!("{whose}: {denial}")),
    }
}
