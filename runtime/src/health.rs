//! Readiness as a list of gates: ready when all are open, and the closed ones have names.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// All the gates of a process. Clones are the same list.
#[derive(Clone, Default)]
pub struct Health {
    gates: Arc<Mutex<Vec<Gate>>>,
}

/// One thing that must be so before requests are welcome. Starts closed; clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    name: &'static str,
    open: Arc<AtomicBool>,
}

impl Health {
    /// Adds a closed gate. `name` says what is waited for, as in "the ServiceAccounts' first list".
    #[must_use]
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate { name, open: Arc::default() };
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).push(gate.clone());
        gate
    }

    /// What is still waited for; ready when empty.
    #[must_use]
    pub fn pending(&self) -> Vec<&'static str> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().filter(|gate| !gate.is_open()).map(|gate| gate.name).collect()
    }
}

impl Gate {
    /// What was waited for is there.
    pub fn open(&self) {
        self.open.store(true, Relaxed);
    }

    /// It is there no longer.
    pub fn close(&self) {
        self.open.store(false, Relaxed);
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_when_every_gate_is_open() {
        let health = Health::default();
        assert!(health.pending().is_empty());
        let (keys, pods) = (health.gate("keys"), health.gate("pods"));
        keys.open();
        assert_eq!(health.pending(), ["pods"]);
        pods.clone().open();
        assert!(health.pending().is_empty());
        keys.close();
        assert_eq!(health.pending(), ["keys"]);
    }
}
