//! Says what each check saw, and counts.

use std::{cell::Cell, env};

use tokio::time::Instant;

/// What a check has seen, in a sentence or a table.
pub(crate) type Seen = anyhow::Result<String>;

/// Counts checks, and prints each as it ends. Words on the command line choose: a check runs if its name holds one of them.
pub(crate) struct Report {
    only: Vec<String>,
    passed: Cell<u32>,
    failed: Cell<u32>,
    /// How many checks there are in all; 0 if words chose.
    all: Cell<u32>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let only = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
        Self { only, passed: Cell::new(0), failed: Cell::new(0), all: Cell::new(0) }
    }

    /// Sets how many checks a run without words has, which each line then says.
    pub(crate) fn expect(&self, checks: u32) {
        self.all.set(if self.only.is_empty() { checks } else { 0 });
    }

    /// Whether the check of this name was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str()))
    }

    /// Runs the check, if it was asked for.
    pub(crate) async fn run(&self, name: &str, check: impl Future<Output = Seen>) {
        if self.wants(name) {
            self.must(name, check).await;
        }
    }

    /// Runs the check, asked for or not: others stand on it.
    pub(crate) async fn must(&self, name: &str, check: impl Future<Output = Seen>) -> bool {
        let (ended, all) = (self.passed.get() + self.failed.get(), self.all.get());
        let place = if all == 0 { String::new() } else { format!(" ({ended} of {all} ended)") };
        println!("{name} ...{place}");
        let begun = Instant::now();
        let seen = check.await;
        let took = begun.elapsed().as_secs();
        match &seen {
            Ok(seen) => {
                self.passed.set(self.passed.get() + 1);
                println!("{name} ... ok ({took} s): {seen}");
            }
            Err(fault) => {
                self.failed.set(self.failed.get() + 1);
                println!("{name} ... FAILED ({took} s): {fault:#}");
            }
        }
        seen.is_ok()
    }

    /// Prints the sum as cargo's own tests do; whether none failed.
    pub(crate) fn end(&self) -> bool {
        let (passed, failed) = (self.passed.get(), self.failed.get());
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("\ntest result: {word}. {passed} passed; {failed} failed;");
        failed == 0
    }
}
