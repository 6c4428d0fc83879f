//! How long API servers wait for an answer, as our webhook configuration says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Kubernetes' default for `timeoutSeconds`.
pub(crate) const DEFAULT: Duration = Duration::from_secs(10);
/// The longest that Kubernetes allows.
pub(crate) const MAX: Duration = Duration::from_secs(30);

/// The longest `timeoutSeconds` of our entries. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RegisteredTimeout(Arc<AtomicU64>);

impl Default for RegisteredTimeout {
    /// Kubernetes' default, until the configuration was read.
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(DEFAULT.as_secs())))
    }
}

impl RegisteredTimeout {
    pub(crate) fn get(&self) -> Duration {
        Duration::from_secs(self.0.load(Relaxed))
    }

    /// Sets it from the timeouts of our entries; without any it stays as it is.
    pub(crate) fn set(&self, timeouts: impl IntoIterator<Item = Duration>) {
        if let Some(longest) = timeouts.into_iter().max() {
            self.0.store(longest.clamp(Duration::from_secs(1), MAX).as_secs(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_timeout_of_our_entries_counts() {
        let timeout = RegisteredTimeout::default();
        assert_eq!(timeout.get(), Duration::from_secs(10));
        for (seconds, expected) in
            [(&[3, 5][..], 5), (&[], 5), (&[0], 1), (&[99], 30), (&[3, 3], 3)]
        {
            timeout.clone().set(seconds.iter().map(|it| Duration::from_secs(*it)));
            assert_eq!(timeout.get(), Duration::from_secs(expected), "{seconds:?}");
        }
    }
}
