//! Everything asynchronous that a decision needs is done before it: an issuer's keys are fetched, with
//! `--auto-roles` a role is created, and with `--cluster-state` the roles of other replicas are read. The
//! decision itself is synchronous.

pub(crate) mod keys;

use jiff::Timestamp;
use podrole_identity::RoleArn;

use crate::{
    accounts::{Owner, Provider},
    auto_roles,
    call::Call,
    cluster_state::ClusterStateError,
    sandbox::Sandbox,
    signature::authorization::RequestSignature,
    sts::parameters::Parameters,
    token::Token,
};

/// Prepares a call to STS.
///
/// # Errors
/// If a role could not be saved. Other errors are ignored here: the decision finds them again and reports them.
pub(crate) async fn prefetch(
    sandbox: &Sandbox,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<(), ClusterStateError> {
    if parameters.get("Action") != Some("AssumeRoleWithWebIdentity") {
        return Ok(());
    }
    let (Some(role), Some(token)) = (parameters.get("RoleArn"), parameters.get("WebIdentityToken"))
    else {
        return Ok(());
    };
    let Ok(role) = role.parse::<RoleArn>() else {
        return Ok(());
    };
    if !is_needed(sandbox, role.account()) {
        return Ok(());
    }
    let Ok(token) = Token::parse(token) else {
        return Ok(());
    };
    if sandbox.admin().auto_roles() {
        auto_roles::register(sandbox, &role, &token, now).await;
    }
    prefetch_keys(sandbox, role.account(), &token, now).await;
    if sandbox.admin().auto_roles() {
        auto_roles::create(sandbox, &role, &token, now).await?;
    }
    Ok(())
}

/// Reads the saved roles if the request is signed by a session of a role that does not exist here: another
/// replica may have created it.
pub(crate) async fn prefetch_role(sandbox: &Sandbox, call: &Call<'_>, now: Timestamp) {
    let Some(kept) = sandbox.cluster_state().filter(|_| sandbox.admin().auto_roles()) else {
        return;
    };
    let token = RequestSignature::read(call).ok().and_then(|signed| signed.session_token);
    let session = token.and_then(|token| sandbox.session_key().open(&token));
    let Some(Owner::Role(role)) = session.map(|session| session.grant.identity.owner) else {
        return;
    };
    if sandbox.has_role(&role) {
        return;
    }
    match kept.bindings_in_turn().await {
        None => {}
        Some(Ok(saved)) => auto_roles::recall(sandbox, &saved, now),
        Some(Err(error)) => tracing::error!(
            %role,
            %error,
            "could not read the saved roles of --auto-roles; rejecting the session"
        ),
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
