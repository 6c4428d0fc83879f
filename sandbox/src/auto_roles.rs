//! `--auto-roles`: creates an unknown role of a configured account for the first ServiceAccount that asks for
//! it, with the trust policy of an IRSA guide. If needed, it first registers the issuer that is served here, or that of the
//! cluster that the sandbox runs in.

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

/// Limits the memory that a pod can use up by asking for new roles.
const MAX_ROLES: usize = 1000;

/// Registers the token's issuer in the role's account, if the account is configured, neither role nor issuer
/// exists there, the issuer is one of our own, and STS would accept the token.
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
            || !accounts.is_configured(account.as_str())
    };
    if is_settled(&sandbox.accounts()) {
        return;
    }
    if provider.is_elsewhere(sandbox.issuer()) {
        prefetch::keys::fetch(sandbox, &provider, token, now).await;
    }
    let mut accounts = sandbox.accounts_mut();
    // Another request may have registered it while the keys were fetched.
    if is_settled(&accounts) || verified(&provider, sandbox, token, now).is_err() {
        return;
    }
    accounts.put_provider(&account, Provider { created: now, ..provider });
    drop(accounts);
    tracing::warn!(aws_account = %account, issuer = %url, "registered an OIDC provider for --auto-roles");
    sandbox.note_change(Change::Provider { account: account.to_string(), url: url.clone() });
}

/// The provider that an IRSA guide creates for the issuer that is served here, or for the cluster's.
fn own_provider(sandbox: &Sandbox, url: &str) -> Option<Provider> {
    let provider = Provider::new(url, vec![Audience::sts()]);
    if sandbox.issuer().is_some_and(|issuer| issuer.url() == url) {
        return Some(provider);
    }
    let cluster = sandbox.cluster().filter(|cluster| cluster.issuer() == url)?;
    Some(Provider { discovery: cluster.discovery().clone(), ..provider })
}

/// Creates the role, if it does not exist and STS would accept the token.
pub(crate) fn create(sandbox: &Sandbox, arn: &RoleArn, token: &Token<'_>, now: Timestamp) {
    let mut accounts = sandbox.accounts_mut();
    let account = arn.account();
    if !accounts.is_configured(account)
        || accounts.role_named(account, arn.name()).is_some()
        || accounts.roles(account).count() >= MAX_ROLES
    {
        return;
    }
    let Some(provider) = accounts.provider(account, &token.claims.iss) else {
        return;
    };
    let (Ok(audience), Ok(service_account)) = (
        verified(provider, sandbox, token, now),
        ServiceAccountRef::from_subject(&token.claims.sub),
    ) else {
        return;
    };
    let Ok(policy) = Policy::read(&trust_policy(arn, provider, &service_account, &audience)) else {
        return;
    };
    let role = Role { created: now, ..Role::new(arn.clone(), policy) };
    if accounts.put_role(role).is_ok() {
        tracing::warn!(
            role = %arn,
            namespace = service_account.namespace(),
            service_account = service_account.name(),
            "created a role for --auto-roles"
        );
        drop(accounts);
        let (account, name) = (account.to_owned(), arn.name().to_owned());
        sandbox.note_change(Change::Role { account, name });
    }
}

/// Verifies a token as STS does, and returns its audience.
fn verified(
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
    service_account: &ServiceAccountRef,
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
                format!("{issuer}:sub"): service_account.subject(),
                format!("{issuer}:aud"): audience,
            }},
        }],
    })
    .to_string()
}
