//! What happens before a call is decided, because deciding waits for nothing: keys are fetched
//! from an issuer, and with `--auto-roles` a role comes into being.

pub(crate) mod keys;

use jiff::Timestamp;
use podrole_identity::RoleArn;

use crate::{
    accounts::Provider, auto_roles, sandbox::Sandbox, sts::parameters::Parameters, token::Token,
};

/// Prepares a call to STS. Nothing is answered here: what is wrong is found again when the call is
/// decided.
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

/// Whether there is anything to prepare in that account: mostly there is not.
fn is_needed(sandbox: &Sandbox, account: &str) -> bool {
    let elsewhere = |one: &Provider| one.is_elsewhere(sandbox.issuer());
    sandbox.admin().auto_roles() || sandbox.accounts().providers(account).any(elsewhere)
}

/// Fetches the keys of the token's issuer, if it is registered in the account and they are nowhere
/// else: nobody else's URL is ever asked.
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
