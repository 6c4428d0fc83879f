//! Each entry has a task that looks after it: it refreshes in time, and clears up at the end.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::time::sleep;

use super::{Entry, Held, Inner, Keep, Key, entry::Look, flight::landing};
use crate::node::NodeError;

/// It looks at least so often: requests change what is due, and clocks are set.
const MOST: Duration = Duration::from_secs(60);
/// How long nothing is tried when no token is there to try it with.
const NO_TOKEN: SignedDuration = SignedDuration::from_secs(30);

/// Tends until the entry is over or gone.
pub(super) async fn tend(keep: Weak<Inner>, key: Key, entry: Weak<Entry>) {
    let mut wait = SignedDuration::ZERO;
    loop {
        sleep(Duration::try_from(wait).unwrap_or_default().min(MOST)).await;
        let (Some(keep), Some(entry)) = (keep.upgrade(), entry.upgrade()) else {
            return;
        };
        let keep = Keep(keep);
        let look = entry.lock().look(keep.0.clock.now());
        wait = match look {
            Look::Later(wait) => wait.max(SignedDuration::from_millis(100)),
            Look::Refresh(held) => keep.refresh(&key, &entry, held).await,
            Look::NoToken => {
                keep.0.metrics.refresh("no-token");
                NO_TOKEN
            }
            Look::Rest => return,
            Look::Over => {
                keep.0.entries.invalidate(&key);
                return;
            }
        };
    }
}

impl Keep {
    /// Refreshes once; says how long to wait before the next look.
    async fn refresh(&self, key: &Key, entry: &Arc<Entry>, held: Held) -> SignedDuration {
        let soon = SignedDuration::from_secs(1);
        if let Some(pause) = self.0.pace.pause(self.0.clock.now()) {
            self.0.metrics.refresh("late");
            return pause;
        }
        let Ok(_permit) = self.0.refreshes.acquire().await else {
            return soon;
        };
        match self.0.liveness.check(&held.caller, self.0.clock.now()).await {
            Ok(_) => {}
            Err(NodeError::Unknown(_)) => return soon,
            Err(_) => {
                entry.lock().forget(&held.hash);
                return soon;
            }
        }
        let begun = entry.lock().refresh(held);
        if let Some((take_off, flight)) = begun {
            self.0.metrics.refresh("due");
            self.take_off(key, entry, take_off);
            let _ = landing(flight).await;
        }
        SignedDuration::ZERO
    }
}
