//! `--auto-roles`: an unknown role comes into being for the first ServiceAccount that asks, with
//! the trust policy that an IRSA guide would write for it; and before it the provider of the issuer
//! that is served here, or of the cluster that the sandbox runs in.

use jiff::Timestamp;
use podrole_identity::{AccountId, Audience, RoleArn, ServiceAccountRef};
use serde_json::json;

use crate::{
    accounts::{Accounts, Provider, Role},
    iam::change::Change,
    policy::Policy,
    prefetch,
    sandbox::Sandbox,
    token::{Token, TokenError},
};

/// A pod that asks for ever new roles shall not fill the memory.
const MOST_ROLES: usize = 1000;

/// The same for roles of ever new accounts.
const MOST_ACCOUNTS: usize = 100;

/// Registers the token's issuer in the role's account, if both are unknown there, the issuer is one
/// of our own, and the token is one that STS would take.
pub(crate) async fn register(sandbox: &Sandbox, role: &RoleArn, token: &Token<'_>, now: Timestamp) {
    let url = &token.claims.iss;
    let (Some(provider), Ok(account)) =
        (own_provider(sandbox, url), role.account().parse::<AccountId>())
    else {
        return;
    };
    let is_settled = |accounts: &Accounts| {
        accounts.role_named(account.as_str(), role.name()).is_some()
            || accounts.provider(account.as_str(), url).is_some()
            || accounts.count() >= MOST_ACCOUNTS
    };
    if is_settled(&sandbox.accounts()) {
        return;
    }
    if provider.is_elsewhere(sandbox.issuer()) {
        prefetch::keys::fetch(sandbox, &provider, token, now).await;
    }
    let mut accounts = sandbox.accounts_mut();
    // Another may have been here while the keys were asked for.
    if is_settled(&accounts) || believed(&provider, sandbox, token, now).is_err() {
        return;
    }
    accounts.put_provider(&account, Provider { created: now, ..provider });
    drop(accounts);
    tracing::warn!(%account, issuer = %url, "--auto-roles registered the issuer");
    sandbox.note_change(Change::Provider { account: account.to_string(), url: url.clone() });
}

/// The provider that an IRSA guide would make of the issuer that is served here, or of the
/// cluster's.
fn own_provider(sandbox: &Sandbox, url: &str) -> Option<Provider> {
    let provider = Provider::new(url, vec![Audience::sts()]);
    if sandbox.issuer().is_some_and(|issuer| issuer.url() == url) {
        return Some(provider);
    }
    let cluster = sandbox.cluster().filter(|cluster| cluster.issuer() == url)?;
    Some(Provider { discovery: cluster.discovery().clone(), ..provider })
}

/// Creates the role, if it is unknown and the token is one that STS would take.
pub(crate) fn create(sandbox: &Sandbox, arn: &RoleArn, token: &Token<'_>, now: Timestamp) {
    let mut accounts = sandbox.accounts_mut();
    let account = arn.account();
    if accounts.role_named(account, arn.name()).is_some()
        || accounts.roles(account).count() >= MOST_ROLES
    {
        return;
    }
    let Some(provider) = accounts.provider(account, &token.claims.iss) else {
        return;
    };
    let (Ok(audience), Ok(who)) = (
        believed(provider, sandbox, token, now),
        ServiceAccountRef::from_subject(&token.claims.sub),
    ) else {
        return;
    };
    let Ok(policy) = Policy::read(&trust_policy(arn, provider, &who, &audience)) else {
        return;
    };
    let role = Role { created: now, ..Role::new(arn.clone(), policy) };
    if accounts.put_role(role).is_ok() {
        tracing::warn!(role = %arn, service_account = %who, "--auto-roles made a role for its first caller");
        drop(accounts);
        let (account, name) = (account.to_owned(), arn.name().to_owned());
        sandbox.note_change(Change::Role { account, name });
    }
}

/// The audience of a token that STS would take.
fn believed(
    provider: &Provider,
    sandbox: &Sandbox,
    token: &Token<'_>,
    now: Timestamp,
) -> Result<String, TokenError> {
    token.check_signature(provider.key_set(sandbox.issuer())?.as_ref())?;
    token.claims.check_expiry(now)?;
    token.claims.check_not_before(now)?;
    token.claims.check_audience(&provider.client_ids)
}

fn trust_policy(
    role: &RoleArn,
    provider: &Provider,
    who: &ServiceAccountRef,
    audience: &str,
) -> String {
    let issuer = provider.issuer();
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": provider.arn(role.partition(), role.account())},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                format!("{issuer}:sub"): who.subject(),
                format!("{issuer}:aud"): audience,
            }},
        }],
    })
    .to_string()
}
