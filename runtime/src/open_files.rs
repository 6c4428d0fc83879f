//! The limit of open files: each connection needs one.

/// What is asked for at most. A limit without an end makes some libraries slow.
#[cfg(unix)]
const WANTED: u64 = 65_536;

/// Raises this process's limit of open files as far as it is permitted, as programs in Go do by
/// themselves. Container runtimes often start a process with 1,024.
pub fn raise_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
        if limit.current.is_some_and(|current| current < wanted) {
            limit.current = Some(wanted);
            if let Err(error) = setrlimit(Resource::Nofile, limit) {
                tracing::warn!(%error, "could not raise the limit of open files; keeping it");
            }
        }
    }
}
