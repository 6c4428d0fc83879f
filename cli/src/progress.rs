//! How far a long run is, on standard error.

use std::{
    cell::Cell,
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

use tokio::time::Instant;

/// Short runs show nothing.
const FIRST: Duration = Duration::from_secs(1);
const ON_A_TERMINAL: Duration = Duration::from_millis(100);
const IN_A_LOG: Duration = Duration::from_secs(10);

/// One rewritten line on a terminal, one line every 10 s elsewhere.
pub(crate) struct Progress {
    is_quiet: bool,
    is_terminal: bool,
    next: Cell<Instant>,
    /// Whether there is a line to be cleared.
    is_shown: Cell<bool>,
}

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Self {
        let is_terminal = stderr().is_terminal();
        let first = if is_terminal { FIRST } else { IN_A_LOG };
        let next = Cell::new(Instant::now() + first);
        Self { is_quiet, is_terminal, next, is_shown: Cell::new(false) }
    }

    /// Shows the text if the last one was some time ago.
    pub(crate) fn show(&self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.is_quiet || now < self.next.get() {
            return;
        }
        self.next.set(now + if self.is_terminal { ON_A_TERMINAL } else { IN_A_LOG });
        if self.is_terminal {
            self.is_shown.set(true);
            // A terminal that is gone needs no progress.
            let _ = write!(stderr(), "\r\x1b[K{}", text());
        } else {
            eprintln!("{}", text());
        }
    }

    /// Clears the line, so that others can follow.
    pub(crate) fn done(&self) {
        if self.is_shown.replace(false) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// A number with commas: 12,500.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let numbers = [0, 999, 1_000, 12_500, 1_240_000].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "12,500", "1,240,000"]);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_shown_after_a_while_and_then_seldom() {
        let progress = Progress { is_terminal: false, ..Progress::new(false) };
        progress.next.set(Instant::now() + IN_A_LOG);
        let shown = Cell::new(0);
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(1)).await;
            progress.show(|| {
                shown.set(shown.get() + 1);
                "(progress of a test)".to_owned()
            });
        }
        assert_eq!(shown.get(), 10);
        let quiet = Progress { is_quiet: true, ..Progress::new(true) };
        tokio::time::advance(Duration::from_secs(100)).await;
        quiet.show(|| unreachable!());
    }
}
