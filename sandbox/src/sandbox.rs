//! The sandbox's state, and a call's way through it: read, decide, write down, answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use jiff::Timestamp;
use podrole_identity::{AccountId, RoleArn};

use crate::{
    accounts::{Accounts, Provider, Role},
    config::{Config, ConfigError},
    decisions::{Decision, Journal},
    http as routes,
    issuer::Issuer,
    random,
    sessions::Sessions,
    sts::{
        Call, Operation, caller_identity,
        fault::Fault,
        parameters::Parameters,
        web_identity::{self, Known},
        xml,
    },
};

/// A small AWS identity that checks. Clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    state: Arc<State>,
    issuer: Option<Issuer>,
}

struct State {
    accounts: RwLock<Accounts>,
    sessions: Mutex<Sessions>,
    journal: Mutex<Journal>,
    credential_life: Option<Duration>,
}

/// An answer of STS: HTTP status and XML.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) request_id: String,
    pub(crate) xml: String,
}

/// A yes: what to answer, and what to write down.
struct Done {
    xml: String,
    reason: String,
}

impl Sandbox {
    /// A sandbox with the accounts of a file.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let state = State {
            accounts: RwLock::new(config.accounts),
            sessions: Mutex::default(),
            journal: Mutex::default(),
            credential_life: config.credential_life,
        };
        Self { state: Arc::new(state), issuer: None }
    }

    /// Serves the issuer's discovery document and keys, and believes its tokens where a provider
    /// of that URL has no keys of its own. Clones made before do not.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Issuer) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// The routes: STS on `/`, the issuer's where one is attached, and what was decided under
    /// `/_podrole/`.
    pub fn router(&self) -> axum::Router {
        routes::router(self, self.issuer.as_ref())
    }

    /// Registers an OIDC provider; one of the same URL in that account is replaced.
    pub fn register_provider(&self, account: &AccountId, provider: Provider) {
        let accounts = self.state.accounts.write();
        accounts.unwrap_or_else(PoisonError::into_inner).put_provider(account, provider);
    }

    /// Creates a role in the account of its ARN; one of the same name is replaced.
    ///
    /// # Errors
    /// When its longest session is not one that IAM allows.
    pub fn put_role(&self, role: Role) -> Result<(), ConfigError> {
        let accounts = self.state.accounts.write();
        accounts.unwrap_or_else(PoisonError::into_inner).put_role(role)
    }

    /// Whether there is a role with that ARN.
    #[must_use]
    pub fn knows_role(&self, arn: &RoleArn) -> bool {
        self.accounts().role(arn).is_some()
    }

    /// The last 1,000 decisions, oldest first, each with the reason that the caller is not told.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        self.journal().decisions()
    }

    /// How often each operation was called.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.journal().calls()
    }

    /// Answers a call to STS.
    pub(crate) fn answer(&self, call: &Call<'_>, now: Timestamp) -> Answer {
        // Without random bytes nothing is issued either; the id is then the least loss.
        let request_id = random::uuid().unwrap_or_default();
        let parameters = Parameters::read(call);
        let mut operation = None;
        let done = parameters.as_ref().map_err(|f| f.clone().into()).and_then(|parameters| {
            let named = Operation::read(parameters)?;
            operation = Some(named);
            match named {
                Operation::AssumeRoleWithWebIdentity => {
                    self.assume_role_with_web_identity(parameters, &request_id, now)
                }
                Operation::GetCallerIdentity => self.get_caller_identity(call, &request_id, now),
            }
        });
        let role = parameters.ok().and_then(|p| p.get("RoleArn").map(str::to_owned));
        self.write_down(operation, role, &done, now);
        match done {
            Ok(Done { xml, .. }) => Answer::new(200, request_id, xml),
            Err(fault) => Answer::refusal(&fault, request_id),
        }
    }

    fn assume_role_with_web_identity(
        &self,
        parameters: &Parameters,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Done, Fault> {
        let request = parameters.web_identity()?;
        let known = Known {
            accounts: &self.accounts(),
            issuer: self.issuer.as_ref(),
            credential_life: self.state.credential_life,
        };
        let granted = web_identity::decide(known, &request, now)?;
        let session = web_identity::issue(&granted)?;
        let xml = xml::web_identity(&granted, &session, request_id)?;
        self.sessions().keep(session, now);
        let reason = format!("{} allows {}", granted.statement, granted.subject);
        Ok(Done { xml, reason })
    }

    fn get_caller_identity(
        &self,
        call: &Call<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Done, Fault> {
        let identity = caller_identity::decide(&self.sessions(), call, now)?;
        Ok(Done {
            xml: xml::caller_identity(&identity, request_id)?,
            reason: format!("signed by {}", identity.arn),
        })
    }

    fn write_down(
        &self,
        operation: Option<Operation>,
        role: Option<String>,
        done: &Result<Done, Fault>,
        now: Timestamp,
    ) {
        let decision = Decision {
            at: now,
            operation: operation.map_or("unknown", Operation::name),
            allowed: done.is_ok(),
            code: done.as_ref().err().map(|fault| fault.code().0),
            role: role.map(|role| role.chars().take(2048).collect()),
            reason: match done {
                Ok(done) => done.reason.clone(),
                Err(fault) => fault.reason(),
            },
        };
        tracing::info!(
            operation = decision.operation,
            code = decision.code.unwrap_or("OK"),
            role = decision.role.as_deref(),
            reason = %decision.reason.escape_debug(),
            "decided"
        );
        self.journal().write(decision);
    }

    fn accounts(&self) -> RwLockReadGuard<'_, Accounts> {
        let accounts = self.state.accounts.read();
        accounts.unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        let sessions = self.state.sessions.lock();
        sessions.unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        let journal = self.state.journal.lock();
        journal.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    fn new(status: u16, request_id: String, xml: String) -> Self {
        Self { status, request_id, xml }
    }

    /// A refusal in XML.
    pub(crate) fn refusal(fault: &Fault, request_id: String) -> Self {
        let xml = xml::error(fault, &request_id);
        Self::new(fault.code().1, request_id, xml)
    }
}
