//! What a sandbox has beside AWS's accounts: the faults that were asked for, and what its own
//! routes and flags hold.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{accounts::Accounts, faults::Faults, iam::change::Change, state::SavedChanges};

/// The state of the sandbox's own routes and flags.
#[derive(Default)]
pub(crate) struct AdminState {
    faults: Faults,
    auto_roles: AtomicBool,
    changes: Mutex<Changes>,
}

/// What was changed over the file, and where it is written down.
#[derive(Default)]
pub(crate) struct Changes {
    made: BTreeSet<Change>,
    file: Option<PathBuf>,
}

impl AdminState {
    /// The faults that callers shall meet.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether unknown roles come into being.
    pub(crate) fn auto_roles(&self) -> bool {
        self.auto_roles.load(Ordering::Relaxed)
    }

    /// From now on unknown roles come into being.
    pub(crate) fn enable_auto_roles(&self) {
        self.auto_roles.store(true, Ordering::Relaxed);
    }

    /// What the IAM API changed so far.
    pub(crate) fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// Takes over what an earlier sandbox wrote into the file, and writes every change into it.
    pub(crate) fn load(&mut self, file: &Path, accounts: &mut Accounts) -> Result<(), String> {
        let made = SavedChanges::read(file)?.apply(accounts)?;
        *self = Self { made, file: Some(file.to_owned()) };
        Ok(())
    }

    /// Makes the changes again in `new`, as they are in `old`.
    pub(crate) fn carry_over(&self, old: &Accounts, new: &mut Accounts) -> Result<(), String> {
        SavedChanges::of(old, &self.made).apply(new).map(drop)
    }

    /// Remembers a change that was made, and writes it into the state file.
    pub(crate) fn note(&mut self, change: Change, accounts: &Accounts) {
        self.made.insert(change);
        let Some(file) = &self.file else {
            return;
        };
        if let Err(error) = SavedChanges::of(accounts, &self.made).write(file) {
            let file = file.display();
            tracing::error!(%file, %error, "the change is in force and could not be written");
        }
    }
}
