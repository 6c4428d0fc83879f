//! The caller: the identity whose key signed the request, with its policies and tags.

use jiff::Timestamp;

use crate::{
    accounts::{Accounts, Identity, Owner, Policies, Tags, User},
    call::Call,
    policy::{Context, Principal},
    sessions::{Grant, SessionAttributes, SessionKey},
    signature::{
        authorization::{RequestSignature, SignatureError},
        key::CallerKey,
        sigv4,
    },
};

/// How the key ids of temporary credentials begin.
const TEMPORARY: &str = "ASIA";

/// The caller of an operation.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    kind: CallerKind,
    /// The policies of the user or role.
    pub(crate) policies: Policies,
    /// `aws:PrincipalTag/*`: the owner's tags, overridden by the session's.
    tags: Tags,
    pub(crate) attributes: SessionAttributes,
    /// When temporary credentials were issued. `None` for a user's own key.
    issued: Option<Timestamp>,
    organization: Option<String>,
    /// The region in the signature's scope.
    pub(crate) region: String,
}

#[derive(Clone, Debug)]
enum CallerKind {
    Identity(Identity),
    /// A caller without an AWS account, and its condition keys.
    ExternalPrincipal {
        external: ExternalPrincipal,
        source: Context,
    },
}

/// A caller without an AWS account.
#[derive(Clone, Debug)]
pub(crate) enum ExternalPrincipal {
    /// An AWS service, by its domain name.
    Service(&'static str),
    /// An identity of an identity provider, by the provider's ARN.
    Federated(String),
}

/// Authenticates the caller of a service by the signature.
pub(crate) fn authenticate(
    accounts: &Accounts,
    sessions: &SessionKey,
    call: &Call<'_>,
    service: &str,
    now: Timestamp,
) -> Result<Caller, SignatureError> {
    let signed = RequestSignature::read(call)?;
    let (key, mut caller) = find(accounts, sessions, &signed)?;
    key.check_token(&signed)?;
    signed.check_service(service)?;
    signed.check_day()?;
    signed.check_time(now)?;
    signed.check_body(call)?;
    sigv4::check_signature(call, &signed, key.clone())?;
    key.check_expiry(now)?;
    caller.region.clone_from(&signed.scope.region);
    Ok(caller)
}

/// The access key that signed a request, and its owner. Credentials of a deleted role or user are not found.
pub(crate) fn find(
    accounts: &Accounts,
    sessions: &SessionKey,
    signed: &RequestSignature,
) -> Result<(CallerKey, Caller), SignatureError> {
    let id = &signed.scope.key_id;
    if let Some((user, key)) = accounts.user_of_key(id) {
        let caller = Caller::user(accounts, user).ok_or(SignatureError::UnknownKey)?;
        return Ok((CallerKey::from((user, key)), caller));
    }
    let token = match &signed.session_token {
        Some(token) => token,
        None if id.starts_with(TEMPORARY) => return Err(SignatureError::SessionToken),
        None => return Err(SignatureError::UnknownKey),
    };
    let session = sessions.open(token).ok_or(SignatureError::ForeignToken)?;
    let caller = Caller::session(accounts, &session.grant).filter(|_| session.key_id == *id);
    Ok((CallerKey::from(&session), caller.ok_or(SignatureError::UnknownKey)?))
}

impl Caller {
    /// The caller with a session's credentials. `None` if its role or user does not exist.
    pub(crate) fn session(accounts: &Accounts, grant: &Grant) -> Option<Self> {
        Self::of(accounts, &grant.identity, grant.attributes.clone(), Some(grant.issued))
    }

    /// The caller with a user's own key.
    pub(super) fn user(accounts: &Accounts, user: &User) -> Option<Self> {
        Self::of(accounts, &Identity::user(&user.arn), SessionAttributes::default(), None)
    }

    fn of(
        accounts: &Accounts,
        identity: &Identity,
        attributes: SessionAttributes,
        issued: Option<Timestamp>,
    ) -> Option<Self> {
        let (policies, owned) = match &identity.owner {
            Owner::Role(arn) => accounts.role(arn).map(|role| (&role.policies, &role.tags))?,
            Owner::User(arn) => accounts.user(arn).map(|user| (&user.policies, &user.tags))?,
        };
        let mut tags = owned.clone();
        tags.override_with(&attributes.tags);
        Some(Self {
            policies: policies.clone(),
            tags,
            attributes,
            issued,
            organization: accounts.organization(&identity.account).map(str::to_owned),
            region: String::new(),
            kind: CallerKind::Identity(identity.clone()),
        })
    }

    /// A caller of which only the identity is known, without policies and tags.
    pub(crate) fn known_by_name(identity: Identity) -> Self {
        Self {
            kind: CallerKind::Identity(identity),
            policies: Policies::new(),
            tags: Tags::default(),
            attributes: SessionAttributes::default(),
            issued: None,
            organization: None,
            region: String::new(),
        }
    }

    /// A caller without an AWS account, with the condition keys in `source`.
    pub(crate) fn external(external: ExternalPrincipal, source: Context) -> Self {
        let provider = match &external {
            ExternalPrincipal::Service(_) => None,
            ExternalPrincipal::Federated(arn) => Some(arn.clone()),
        };
        Self {
            kind: CallerKind::ExternalPrincipal { external, source },
            policies: Policies::new(),
            tags: Tags::default(),
            attributes: SessionAttributes { provider, ..SessionAttributes::default() },
            issued: None,
            organization: None,
            region: String::new(),
        }
    }

    /// The caller as policies name it.
    pub(crate) fn principal(&self) -> Principal<'_> {
        match &self.kind {
            CallerKind::Identity(identity) => identity.principal(),
            CallerKind::ExternalPrincipal {
                external: ExternalPrincipal::Service(domain), ..
            } => Principal::Service(domain),
            CallerKind::ExternalPrincipal {
                external: ExternalPrincipal::Federated(arn), ..
            } => Principal::Federated(arn),
        }
    }

    /// The identity. `None` for callers without an account.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match &self.kind {
            CallerKind::Identity(identity) => Some(identity),
            CallerKind::ExternalPrincipal { .. } => None,
        }
    }

    /// The account id. `None` for callers without an account.
    pub(crate) fn account(&self) -> Option<&str> {
        self.identity().map(|identity| identity.account.as_str())
    }

    /// Whether the caller is a role session, so that assuming a role is role chaining.
    pub(crate) fn is_role_session(&self) -> bool {
        self.identity().is_some_and(|identity| matches!(identity.owner, Owner::Role(_)))
    }

    /// Whether the request was signed with temporary credentials.
    pub(crate) fn is_temporary(&self) -> bool {
        self.issued.is_some()
    }

    /// The condition keys about the caller and the time.
    pub(crate) fn context(&self, now: Timestamp) -> Context {
        let mut context = match &self.kind {
            CallerKind::Identity(identity) => self.identity_context(identity),
            CallerKind::ExternalPrincipal { external: ExternalPrincipal::Federated(_), source } => {
                source.clone()
            }
            CallerKind::ExternalPrincipal {
                external: ExternalPrincipal::Service(domain),
                source,
            } => source
                .clone()
                .with("aws:PrincipalIsAWSService", ["true"])
                .with("aws:PrincipalServiceName", [*domain]),
        };
        context.set("aws:CurrentTime", [format!("{now:.0}")]);
        context.set("aws:EpochTime", [now.as_second().to_string()]);
        context.set("aws:RequestedRegion", Some(&*self.region).filter(|region| !region.is_empty()));
        context
    }

    fn identity_context(&self, identity: &Identity) -> Context {
        let (kind, name) = match &identity.owner {
            Owner::Role(_) => ("AssumedRole", None),
            Owner::User(user) => ("User", Some(user.name())),
        };
        let mut context = Context::default()
            .with("aws:PrincipalArn", [identity.owner_arn()])
            .with("aws:PrincipalAccount", [identity.account.as_str()])
            .with("aws:PrincipalOrgID", self.organization.as_deref())
            .with("aws:PrincipalType", [kind])
            .with("aws:PrincipalIsAWSService", ["false"])
            .with("aws:userid", [identity.id.as_str()])
            .with("aws:username", name)
            .with("aws:SourceIdentity", self.attributes.source_identity.as_deref())
            .with("aws:FederatedProvider", self.attributes.provider.as_deref())
            .with("aws:TokenIssueTime", self.issued.map(|at| format!("{at:.0}")))
            .with("aws:MultiFactorAuthPresent", self.issued.map(|_| "false"));
        for (key, value) in self.tags.iter() {
            context.set(&format!("aws:PrincipalTag/{key}"), [value]);
        }
        context
    }
}

#[cfg(test)]
mod tests;
