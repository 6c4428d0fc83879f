//! What a sandbox has beside AWS's accounts: the faults that were asked for, and what its own
//! routes and flags hold.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    config::Config, decisions::Decision, faults::Faults, iam::Change, sandbox::Sandbox,
    state::Saved,
};

/// The state of the sandbox's own routes and flags.
#[derive(Default)]
pub(crate) struct Outside {
    faults: Faults,
    auto_roles: AtomicBool,
    changes: Mutex<Changes>,
}

/// What was changed over the file, and where it is written down.
#[derive(Default)]
struct Changes {
    made: BTreeSet<Change>,
    file: Option<PathBuf>,
}

impl Outside {
    /// Whether unknown roles come into being.
    pub(crate) fn auto_roles(&self) -> bool {
        self.auto_roles.load(Ordering::Relaxed)
    }
}

impl Sandbox {
    /// The faults that its callers shall meet.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.outside().faults
    }

    /// From now on an unknown role comes into being for the first ServiceAccount that asks.
    pub fn make_roles(&self) {
        self.outside().auto_roles.store(true, Ordering::Relaxed);
    }

    /// Takes over what an earlier sandbox wrote into the file, and writes every change into it.
    ///
    /// # Errors
    /// When the file cannot be read; the text says why.
    pub fn keep_state(&self, file: &Path) -> Result<(), String> {
        let saved = Saved::read(file)?;
        let made = saved.apply(&mut self.accounts_mut())?;
        *self.outside().changes.lock().unwrap_or_else(PoisonError::into_inner) =
            Changes { made, file: Some(file.to_owned()) };
        Ok(())
    }

    /// Takes over the accounts and clusters of a file that changed; what the IAM API changed
    /// stands over them.
    pub(crate) fn take_over(&self, config: Config) -> Result<(), String> {
        let changes = self.outside().changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = config.accounts;
        let mut accounts = self.accounts_mut();
        Saved::of(&accounts, &changes.made).apply(&mut new)?;
        *accounts = new;
        Ok(())
    }

    /// Remembers a change that was made, and writes it into the state file.
    pub(crate) fn note_change(&self, change: Change) {
        let mut changes = self.outside().changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.made.insert(change);
        let Some(file) = &changes.file else {
            return;
        };
        let saved = Saved::of(&self.accounts(), &changes.made);
        if let Err(fault) = saved.write(file) {
            let file = file.display();
            tracing::error!(%file, %fault, "the change is in force and could not be written");
        }
    }

    /// Writes a decision down that was made outside of the operations: log, journal and counter.
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
}
