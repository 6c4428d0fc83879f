//! The state behind the sandbox's own routes and flags: injected faults, `--auto-roles` and the changes
//! to save.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    accounts::Accounts,
    faults::Faults,
    iam::change::Change,
    state::{SavedChanges, StateError},
};

/// The state of the sandbox's own routes and flags.
#[derive(Default)]
pub(crate) struct AdminState {
    faults: Faults,
    auto_roles: AtomicBool,
    changes: Mutex<Changes>,
}

/// What the IAM API changed, and the file that the changes are saved in.
#[derive(Default)]
pub(crate) struct Changes {
    made: BTreeSet<Change>,
    file: Option<PathBuf>,
}

impl AdminState {
    /// The faults that are injected into calls.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether unknown roles are created on first use.
    pub(crate) fn auto_roles(&self) -> bool {
        self.auto_roles.load(Ordering::Relaxed)
    }

    /// Creates unknown roles on first use from now on.
    pub(crate) fn enable_auto_roles(&self) {
        self.auto_roles.store(true, Ordering::Relaxed);
    }

    /// The changes of the IAM API so far. Lock them before the accounts.
    pub(crate) fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// Applies the changes that an earlier sandbox saved in the file, and saves later ones there.
    pub(crate) fn load(&mut self, file: &Path, accounts: &mut Accounts) -> Result<(), StateError> {
        let made = SavedChanges::read(file)?.apply(accounts)?;
        *self = Self { made, file: Some(file.to_owned()) };
        Ok(())
    }

    /// Copies everything that was changed from `old` to `new`.
    pub(crate) fn carry_over(&self, old: &Accounts, new: &mut Accounts) -> Result<(), StateError> {
        SavedChanges::of(old, &self.made).apply(new).map(drop)
    }

    /// Records a change and saves all of them in the state file, if there is one.
    pub(crate) fn note(&mut self, change: Change, accounts: &Accounts) {
        self.made.insert(change);
        let Some(file) = &self.file else {
            return;
        };
        if let Err(error) = SavedChanges::of(accounts, &self.made).write(file) {
            let file = file.display();
            tracing::error!(
                %file,
                %error,
                "could not save the state file; the change is in effect until the sandbox stops"
            );
        }
    }
}
