//! The sandbox's state, and its interface for programs that embed it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use jiff::Timestamp;
use podrole_identity::{AccountId, RoleArn};

use crate::{
    accounts::{Accounts, Cluster, Provider, Role, SessionDurationError, User},
    admin_state::AdminState,
    cluster_state::ClusterState,
    config::Config,
    decisions::{Decision, Journal},
    faults::Faults,
    iam::change::Change,
    in_cluster::InCluster,
    issuer::Issuer,
    random::NoRandom,
    sessions::{Session, SessionKey},
    signature::{
        authorization::{RequestSignature, SignatureError},
        key::CallerKey,
    },
    state::StateError,
    sts::{caller, inputs::DecisionInputs, role_step::GrantedSession},
};

/// A small AWS STS and IAM. Clones share their state.
#[derive(Clone)]
pub struct Sandbox {
    state: Arc<State>,
    session_key: SessionKey,
    issuer: Option<Issuer>,
    cluster: Option<Arc<InCluster>>,
    kept: Option<Arc<ClusterState>>,
}

struct State {
    accounts: RwLock<Accounts>,
    journal: Mutex<Journal>,
    admin: AdminState,
    credential_life: Option<Duration>,
}

impl Sandbox {
    /// A sandbox with the accounts of a configuration. Its sessions end with it, unless it gets another key.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let state = State {
            accounts: RwLock::new(config.accounts),
            journal: Mutex::default(),
            admin: AdminState::default(),
            credential_life: config.credential_life,
        };
        Self {
            state: Arc::new(state),
            session_key: SessionKey::random(),
            issuer: None,
            cluster: None,
            kept: None,
        }
    }

    /// Derives sessions from that key, so that every sandbox with the same key accepts them, also after a
    /// restart. Earlier clones are not affected.
    #[must_use]
    pub fn with_session_key(mut self, key: SessionKey) -> Self {
        self.session_key = key;
        self
    }

    /// Serves the issuer's discovery document and keys, and accepts its tokens if a provider with that URL
    /// has no keys of its own. Earlier clones are not affected.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Issuer) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// Accepts the tokens of the cluster that it runs in. Earlier clones are not affected.
    #[must_use]
    pub(crate) fn with_cluster(mut self, cluster: InCluster) -> Self {
        self.cluster = Some(Arc::new(cluster));
        self
    }

    /// Keeps the roles of `--auto-roles` in the cluster. Earlier clones are not affected.
    #[must_use]
    pub(crate) fn with_cluster_state(mut self, kept: ClusterState) -> Self {
        self.kept = Some(Arc::new(kept));
        self
    }

    /// Registers an OIDC provider in the account, or replaces the one with the same URL.
    pub fn register_provider(&self, account: &AccountId, provider: Provider) {
        let mut accounts = self.accounts_mut();
        accounts.configure(account);
        accounts.put_provider(account, provider);
    }

    /// Creates a role in the account of its ARN, or replaces the one with the same name.
    ///
    /// # Errors
    /// If its maximum session duration is outside of what IAM allows.
    pub fn put_role(&self, role: Role) -> Result<(), SessionDurationError> {
        let mut accounts = self.accounts_mut();
        if let Ok(account) = role.arn.account().parse() {
            accounts.configure(&account);
        }
        accounts.put_role(role)
    }

    /// Creates a user in the account of its ARN, or replaces the one with the same name.
    pub fn put_user(&self, user: User) {
        let mut accounts = self.accounts_mut();
        accounts.configure(user.arn.account());
        accounts.put_user(user);
    }

    /// Creates a cluster, or replaces the one with the same ARN.
    pub fn put_cluster(&self, cluster: Cluster) {
        self.accounts_mut().put_cluster(cluster);
    }

    /// Whether there is a role with that ARN.
    #[must_use]
    pub fn has_role(&self, arn: &RoleArn) -> bool {
        self.accounts().role(arn).is_some()
    }

    /// The faults that are injected into calls.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.state.admin.faults()
    }

    /// Creates unknown roles for the first ServiceAccount that asks for them from now on, in configured
    /// accounts: those that the configuration names, and those of what was registered here.
    pub fn enable_auto_roles(&self) {
        self.state.admin.enable_auto_roles();
    }

    /// Applies the changes that an earlier sandbox saved in the file, and saves later ones there.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn keep_state(&self, file: &Path) -> Result<(), StateError> {
        self.state.admin.changes().load(file, &mut self.accounts_mut())
    }

    /// Replaces the accounts and clusters by those of a changed file, and applies the changes of the IAM API
    /// again.
    pub(crate) fn take_over(&self, config: Config) -> Result<(), StateError> {
        let changes = self.state.admin.changes();
        let mut new = config.accounts;
        let mut accounts = self.accounts_mut();
        changes.carry_over(&accounts, &mut new)?;
        *accounts = new;
        Ok(())
    }

    /// Records a change of the IAM API, and saves it if there is a state file.
    pub(crate) fn note_change(&self, change: Change) {
        // Changes are locked before accounts, as in `take_over`: the other order could deadlock.
        let mut changes = self.state.admin.changes();
        changes.note(change, &self.accounts());
    }

    /// Logs a decision, and adds it to the journal.
    pub(crate) fn write(&self, decision: Decision) {
        tracing::info!(
            operation = &*decision.operation,
            code = decision.code.as_deref().unwrap_or("OK"),
            role = decision.role.as_deref(),
            reason = %decision.reason.escape_debug(),
            "decided"
        );
        self.journal().write(decision);
    }

    /// The last 1,000 decisions, oldest first, each with the reason that callers do not see.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        self.journal().decisions()
    }

    /// The number of calls of each operation.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.journal().calls()
    }

    /// The access key that signed a request, of a session or a user. It may have expired.
    pub(crate) fn key(&self, signed: &RequestSignature) -> Result<CallerKey, SignatureError> {
        caller::find(&self.accounts(), &self.session_key, signed).map(|(key, _)| key)
    }

    /// Issues the credentials of a permitted session.
    pub(crate) fn issue(
        &self,
        granted: &GrantedSession,
        now: Timestamp,
    ) -> Result<Session, NoRandom> {
        self.session_key.issue(granted.grant(now))
    }

    pub(crate) fn session_key(&self) -> &SessionKey {
        &self.session_key
    }

    /// The inputs of a decision.
    pub(crate) fn inputs<'a>(&'a self, accounts: &'a Accounts) -> DecisionInputs<'a> {
        let (issuer, credential_life) = (self.issuer.as_ref(), self.state.credential_life);
        DecisionInputs { accounts, issuer, credential_life }
    }

    pub(crate) fn accounts(&self) -> RwLockReadGuard<'_, Accounts> {
        let accounts = self.state.accounts.read();
        accounts.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accounts_mut(&self) -> RwLockWriteGuard<'_, Accounts> {
        let accounts = self.state.accounts.write();
        accounts.unwrap_or_else(PoisonError::into_inner)
    }

    /// The issuer that is served here.
    pub(crate) fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    /// The cluster that it runs in.
    pub(crate) fn cluster(&self) -> Option<&InCluster> {
        self.cluster.as_deref()
    }

    /// What is kept in the cluster.
    pub(crate) fn cluster_state(&self) -> Option<&ClusterState> {
        self.kept.as_deref()
    }

    /// The state of its own routes and flags.
    pub(crate) fn admin(&self) -> &AdminState {
        &self.state.admin
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        let journal = self.state.journal.lock();
        journal.unwrap_or_else(PoisonError::into_inner)
    }
}
