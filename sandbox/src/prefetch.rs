//! Everything asynchronous that a decision needs is done before it: an issuer's keys are fetched, and with
//! `--auto-roles` a role is created. The decision itself is synchronous.

pub(crate) mod keys;

use jiff::Timestamp;
use podrole_identity::RoleArn;

use crate::{
    accounts::Provider, auto_roles, sandbox::Sandbox, sts::parameters::Parameters, token::Token,
};

/// Prepares a call to STS. Errors are ignored here: the decision finds them again and reports them.
pub(crate) async fn prefetch(sandbox: &Sandbox, parameters: &Parameters, now: Timestamp) {
    if parameters.get("Action") != Some("AssumeRoleWithWebIdentity") {
        return;
    }
    let (Some(role), Some(token)) = (parameters.get("RoleArn"), parameters.get("WebIdentityToken"))
    else {
        return;
    };
    let Ok(role) = role.parse::<RoleArn>() else {
        return;
    };
    if !is_needed(sandbox, role.account()) {
        return;
    }
    let Ok(token) = Token::parse(token) else {
        return;
    };
    if sandbox.admin().auto_roles() {
        auto_roles::register(sandbox, &role, &token, now).await;
    }
    prefetch_keys(sandbox, role.account(), &token, now).await;
    if sandbox.admin().auto_roles() {
        auto_roles::create(sandbox, &role, &token, now);
    }
}

/// Whether there can be anything to prepare for that account. Usually there is not, which saves parsing
/// the token twice.
fn is_needed(sandbox: &Sandbox, account: &str) -> bool {
    let elsewhere = |one: &Provider| one.is_elsewhere(sandbox.issuer());
    sandbox.admin().auto_roles() || sandbox.accounts().providers(account).any(elsewhere)
}

/// Fetches the keys of the token's issuer if they are only there. The issuer must be registered in the
/// account: a caller must not be able to choose a URL.
async fn prefetch_keys(sandbox: &Sandbox, account: &str, token: &Token<'_>, now: Timestamp) {
    let issuer = {
        let accounts = sandbox.accounts();
        let provider = accounts.provider(account, &token.claims.iss);
        provider.filter(|one| one.is_elsewhere(sandbox.issuer())).cloned()
    };
    if let Some(issuer) = issuer {
        keys::fetch(sandbox, &issuer, token, now).await;
    }
}
