//! Texts of users' files as they are shown.

use std::fmt::Write as _;

/// A text of a manifest without control characters, which could change what a terminal shows.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::new();
    for character in text.chars() {
        match character {
            '\n' | '\t' | '\r' => printable.push(' '),
            it if it.is_control() => {
                let _ = write!(printable, "\\x{:02x}", u32::from(it));
            }
            // Line breaks of YAML 1.1, which kubectl reads.
            it @ ('\u{2028}' | '\u{2029}') => {
                let _ = write!(printable, "\\u{:04x}", u32::from(it));
            }
            it => printable.push(it),
        }
    }
    printable
}
