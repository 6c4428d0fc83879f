//! Which warnings are logged: the same once in ten minutes, because rounds repeat and tenants can cause some of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const PAUSE: Duration = Duration::from_mins(10);
/// How many are remembered. More are not logged.
const REMEMBERED: usize = 1000;

/// The warnings of the last ten minutes.
#[derive(Default)]
pub(super) struct Warnings(Mutex<HashMap<String, Instant>>);

impl Warnings {
    /// Whether to log the warning with this key now.
    pub(super) fn is_due(&self, key: &str) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| at.elapsed() < PAUSE);
        let is_new = !logged.contains_key(key) && logged.len() < REMEMBERED;
        if is_new {
            logged.insert(key.to_owned(), Instant::now());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_warning_is_due_once_in_ten_minutes() {
        let warnings = Warnings::default();
        assert!(warnings.is_due("shop"));
        assert!(!warnings.is_due("shop"));
        assert!(warnings.is_due("other"));
        tokio::time::advance(PAUSE).await;
        assert!(warnings.is_due("shop"));
    }
}
