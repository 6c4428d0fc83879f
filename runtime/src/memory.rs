//! Keeps the process's memory, in which there are tokens and keys, to the process.

use std::io;

fn protect() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{
            DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit,
        };
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

/// Forbids core dumps, and other processes of the same user to read the memory. If the kernel refuses, for example by a
/// seccomp profile, it logs that. For Linux; elsewhere it does nothing.
pub fn protect_or_warn() {
    if let Err(error) = protect() {
        tracing::warn!(%error, "could not protect the process's memory; continuing without it");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    #[test]
    fn the_kernel_makes_no_core_and_lets_no_one_read() {
        protect().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
    }
}
