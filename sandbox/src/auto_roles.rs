//! `--auto-roles`: creates an unknown role of a configured account for the first ServiceAccount that asks for it, with the
//! trust policy of an IRSA guide. If needed, it first registers the issuer that is served here, or that of the
//! cluster that the sandbox runs in.

use jiff::Timestamp;
use podrole_identity::{AccountId, Audience, RoleArn, ServiceAccountRef};
use serde_json::json;

use crate::{
    accounts::{Accounts, Provider, Role},
    cluster_state::{Binding, ClusterStateError},
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
    put_provider(&mut accounts, &account, provider, now);
    drop(accounts);
    sandbox.note_change(Change::Provider { account: account.to_string(), url: url.clone() });
}

fn put_provider(accounts: &mut Accounts, account: &AccountId, provider: Provider, now: Timestamp) {
    tracing::warn!(
        aws_account = %account,
        issuer = %provider.url,
        "registered an OIDC provider for --auto-roles"
    );
    accounts.put_provider(account, Provider { created: now, ..provider });
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

/// Creates the role, if it does not exist and STS would accept the token. With `--cluster-state`, the role is
/// the ServiceAccount's that was saved first, now or by an earlier sandbox.
///
/// # Errors
/// If it could not be saved. Then it is not created either, or another ServiceAccount could get it after a
/// restart.
pub(crate) async fn create(
    sandbox: &Sandbox,
    arn: &RoleArn,
    token: &Token<'_>,
    now: Timestamp,
) -> Result<(), ClusterStateError> {
    let Some(binding) = wanted(sandbox, arn, token, now) else {
        return Ok(());
    };
    match sandbox.cluster_state() {
        None => put(sandbox, &binding, now),
        Some(kept) => {
            let saved = kept.bind(&binding).await.inspect_err(|error| {
                tracing::error!(role = %arn, %error, "could not save a role of --auto-roles; not creating it");
            })?;
            recall(sandbox, &saved, now);
        }
    }
    Ok(())
}

/// The binding to create, if the role does not exist and STS would accept the token.
fn wanted(sandbox: &Sandbox, arn: &RoleArn, token: &Token<'_>, now: Timestamp) -> Option<Binding> {
    let accounts = sandbox.accounts();
    let account = arn.account();
    if !accounts.is_configured(account)
        || accounts.role_named(account, arn.name()).is_some()
        || accounts.roles(account).count() >= MAX_ROLES
    {
        return None;
    }
    let provider = accounts.provider(account, &token.claims.iss)?;
    Some(Binding {
        role: arn.clone(),
        service_account: ServiceAccountRef::from_subject(&token.claims.sub).ok()?,
        issuer: provider.url.clone(),
        audience: verified(provider, sandbox, token, now).ok()?,
    })
}

/// Creates the roles of saved bindings that do not exist here: after a restart, or because another replica created
/// them. Roles of accounts that are no longer configured stay saved.
pub(crate) fn recall(sandbox: &Sandbox, saved: &[Binding], now: Timestamp) {
    for binding in saved {
        let is_due = {
            let (accounts, account) = (sandbox.accounts(), binding.role.account());
            accounts.is_configured(account)
                && accounts.role_named(account, binding.role.name()).is_none()
        };
        if is_due {
            put(sandbox, binding, now);
        }
    }
}

/// Creates the role, and the provider if the issuer is one of our own and not registered.
fn put(sandbox: &Sandbox, binding: &Binding, now: Timestamp) {
    let Binding { role: arn, service_account, issuer, audience } = binding;
    let Ok(account) = arn.account().parse::<AccountId>() else {
        return;
    };
    let mut accounts = sandbox.accounts_mut();
    // Another request may have created it.
    if accounts.role_named(account.as_str(), arn.name()).is_some() {
        return;
    }
    let mut changes = Vec::new();
    if accounts.provider(account.as_str(), issuer).is_none()
        && let Some(provider) = own_provider(sandbox, issuer)
    {
        put_provider(&mut accounts, &account, provider, now);
        changes.push(Change::Provider { account: account.to_string(), url: issuer.clone() });
    }
    // An issuer that is gone still has its place in the policy: the role must not become free.
    let provider = Provider::new(issuer, Vec::new());
    let Ok(policy) = Policy::read(&trust_policy(arn, &provider, service_account, audience)) else {
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
        let (account, name) = (account.to_string(), arn.name().to_owned());
        changes.push(Change::Role { account, name });
    }
    drop(accounts);
    for change in changes {
        sandbox.note_change(change);
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
