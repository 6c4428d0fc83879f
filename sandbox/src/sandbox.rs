//! The sandbox's state, and what is asked of it from outside of a call.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use podrole_identity::{AccountId, RoleArn};

use crate::{
    accounts::{Accounts, Cluster, Provider, Role, SessionDurationError, User},
    admin_state::AdminState,
    config::Config,
    decisions::{Decision, Journal},
    faults::Faults,
    iam::change::Change,
    in_cluster::InCluster,
    issuer::Issuer,
    sessions::Sessions,
    signature::key::CallerKey,
    sts::inputs::DecisionInputs,
};

/// A small AWS identity that checks. Clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    state: Arc<State>,
    issuer: Option<Issuer>,
    cluster: Option<Arc<InCluster>>,
}

struct State {
    accounts: RwLock<Accounts>,
    sessions: Mutex<Sessions>,
    journal: Mutex<Journal>,
    admin: AdminState,
    credential_life: Option<Duration>,
}

impl Sandbox {
    /// A sandbox with the accounts of a file.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let state = State {
            accounts: RwLock::new(config.accounts),
            sessions: Mutex::default(),
            journal: Mutex::default(),
            admin: AdminState::default(),
            credential_life: config.credential_life,
        };
        Self { state: Arc::new(state), issuer: None, cluster: None }
    }

    /// Serves the issuer's discovery document and keys, and believes its tokens where a provider
    /// of that URL has no keys of its own. Clones made before do not.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Issuer) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// Believes the tokens of the cluster that it runs in. Clones made before do not.
    #[must_use]
    pub(crate) fn with_cluster(mut self, cluster: InCluster) -> Self {
        self.cluster = Some(Arc::new(cluster));
        self
    }

    /// Registers an OIDC provider; one of the same URL in that account is replaced.
    pub fn register_provider(&self, account: &AccountId, provider: Provider) {
        self.accounts_mut().put_provider(account, provider);
    }

    /// Creates a role in the account of its ARN; one of the same name is replaced.
    ///
    /// # Errors
    /// When its longest session is not one that IAM allows.
    pub fn put_role(&self, role: Role) -> Result<(), SessionDurationError> {
        self.accounts_mut().put_role(role)
    }

    /// Creates a user in the account of its ARN; one of the same name is replaced.
    pub fn put_user(&self, user: User) {
        self.accounts_mut().put_user(user);
    }

    /// Creates a cluster; one of the same ARN is replaced.
    pub fn put_cluster(&self, cluster: Cluster) {
        self.accounts_mut().put_cluster(cluster);
    }

    /// Whether there is a role with that ARN.
    #[must_use]
    pub fn has_role(&self, arn: &RoleArn) -> bool {
        self.accounts().role(arn).is_some()
    }

    /// The faults that its callers shall meet.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.state.admin.faults()
    }

    /// From now on an unknown role comes into being for the first ServiceAccount that asks.
    pub fn enable_auto_roles(&self) {
        self.state.admin.enable_auto_roles();
    }

    /// Takes over what an earlier sandbox wrote into the file, and writes every change into it.
    ///
    /// # Errors
    /// When the file cannot be read; the text says why.
    pub fn keep_state(&self, file: &Path) -> Result<(), String> {
        self.state.admin.changes().load(file, &mut self.accounts_mut())
    }

    /// Takes over the accounts and clusters of a file that changed; what the IAM API changed
    /// stands over them.
    pub(crate) fn take_over(&self, config: Config) -> Result<(), String> {
        let changes = self.state.admin.changes();
        let mut new = config.accounts;
        let mut accounts = self.accounts_mut();
        changes.carry_over(&accounts, &mut new)?;
        *accounts = new;
        Ok(())
    }

    /// Remembers a change that was made, and writes it into the state file.
    pub(crate) fn note_change(&self, change: Change) {
        // In this order, as in `take_over`: the changes are locked before the accounts.
        let mut changes = self.state.admin.changes();
        changes.note(change, &self.accounts());
    }

    /// Writes a decision down: log, journal and counter.
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

    /// The key with that id, a session's or a user's, expired or not.
    pub(crate) fn key(&self, id: &str) -> Option<CallerKey> {
        let session = self.sessions().find(id).map(CallerKey::from);
        session.or_else(|| self.accounts().user_of_key(id).map(CallerKey::from))
    }

    /// What a decision is made from.
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

    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        let sessions = self.state.sessions.lock();
        sessions.unwrap_or_else(PoisonError::into_inner)
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
