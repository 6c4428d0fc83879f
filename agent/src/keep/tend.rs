//! One task looks after all sessions: it refreshes in time, and clears up at the end.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{Held, Inner, Keep, entry::Look, flight::landing, slot::Slot};
use crate::node::NodeError;

/// It looks at each session at least so often: requests change what is due, and clocks are set.
const MOST: Duration = Duration::from_secs(60);
/// How long nothing is tried when no token is there to try it with.
const NO_TOKEN: SignedDuration = SignedDuration::from_secs(30);
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// When which session is looked at next.
pub(super) struct Due {
    at: Instant,
    slot: Weak<Slot>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// Tends until the store is gone.
pub(super) async fn tend(keep: Weak<Inner>, mut dues: mpsc::UnboundedReceiver<Due>) {
    let mut queue = BinaryHeap::new();
    loop {
        let next = queue.peek().map(|Reverse(Due { at, .. })| *at);
        tokio::select! {
            due = dues.recv() => match due {
                Some(due) => queue.push(Reverse(due)),
                None => return,
            },
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                let Some(keep) = keep.upgrade().map(Keep) else {
                    return;
                };
                while let Some(due) = pop_due(&mut queue) {
                    if let Some(slot) = due.slot.upgrade() {
                        keep.look_after(slot);
                    }
                }
            }
        }
    }
}

/// The next session whose time has come.
fn pop_due(queue: &mut BinaryHeap<Reverse<Due>>) -> Option<Due> {
    let due = queue.peek().is_some_and(|Reverse(due)| due.at <= Instant::now());
    let Reverse(due) = due.then(|| queue.pop()).flatten()?;
    Some(due)
}

impl Keep {
    /// Has the session looked at after so long.
    pub(super) fn tend(&self, slot: &Arc<Slot>, wait: SignedDuration) {
        let wait = Duration::try_from(wait).unwrap_or_default().min(MOST);
        let due = Due { at: Instant::now() + wait, slot: Arc::downgrade(slot) };
        // The tender ends with the store.
        let _ = self.0.due.send(due);
    }

    fn look_after(&self, slot: Arc<Slot>) {
        let look = slot.lock().look(self.0.clock.now());
        match look {
            Look::Later(wait) => self.tend(&slot, wait.max(SignedDuration::from_millis(100))),
            Look::Refresh(held) => {
                let keep = self.clone();
                tokio::spawn(async move {
                    let wait = keep.refresh(&slot, held).await;
                    keep.tend(&slot, wait);
                });
            }
            Look::NoToken => {
                self.0.metrics.refresh("no-token");
                self.tend(&slot, NO_TOKEN);
            }
            Look::Rest => {}
            Look::Over => self.let_go(&slot),
        }
    }

    /// Refreshes once; says how long to wait before the next look.
    async fn refresh(&self, slot: &Arc<Slot>, held: Held) -> SignedDuration {
        if let Some(pause) = self.0.pace.pause(self.0.clock.now()) {
            self.0.metrics.refresh("late");
            return pause;
        }
        let Ok(_permit) = self.0.refreshes.acquire().await else {
            return SOON;
        };
        match self.0.liveness.check(&held.caller, self.0.clock.now()).await {
            Ok(_) => {}
            Err(NodeError::Unknown(_)) => return SOON,
            Err(_) => {
                slot.change(|state| state.forget(&held.hash));
                return SOON;
            }
        }
        let begun = slot.lock().refresh(held);
        if let Some((take_off, flight)) = begun {
            self.0.metrics.refresh("due");
            self.take_off(slot, take_off);
            let _ = landing(flight).await;
        }
        SignedDuration::ZERO
    }
}
