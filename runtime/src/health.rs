//! Readiness as a list of named gates: the process is ready when all gates are open.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// All gates of a process. Clones share one list.
#[derive(Clone, Default)]
pub struct Health {
    gates: Arc<Mutex<Vec<Gate>>>,
}

/// A condition for readiness. A gate starts closed; clones share its state.
#[derive(Clone)]
pub struct Gate {
    name: &'static str,
    open: Arc<AtomicBool>,
}

impl Health {
    /// Adds a closed gate. `/readyz` prints `waiting for <name>` while it is closed.
    #[must_use]
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate { name, open: Arc::default() };
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).push(gate.clone());
        gate
    }

    /// The names of all closed gates; empty if the process is ready.
    #[must_use]
    pub fn pending(&self) -> Vec<&'static str> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().filter(|gate| !gate.is_open()).map(|gate| gate.name).collect()
    }
}

impl Gate {
    /// The condition holds.
    pub fn open(&self) {
        self.open.store(true, Relaxed);
    }

    /// The condition no longer holds.
    pub fn close(&self) {
        self.open.store(false, Relaxed);
    }

    /// Whether the condition holds.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_gate_is_open() {
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
