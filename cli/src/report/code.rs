//! The name of a finding: `PR020`.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// The number of a mistake or of a check. Numbers are never reused: scripts and threads refer to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Code(pub(crate) u16);

/// A text is not a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a code; codes look like PR020")]
pub(crate) struct NotACode;

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PR{:03}", self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Code {
    type Err = NotACode;

    /// Accepts `PR020`, `pr020` and `20`, as people type them.
    fn from_str(text: &str) -> Result<Self, NotACode> {
        let digits = text.get(..2).filter(|it| it.eq_ignore_ascii_case("PR"));
        let digits = digits.map_or(text, |_| &text[2..]);
        let is_number =
            (1..=3).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
        let number = is_number.then(|| digits.parse().ok()).flatten();
        number.map(Self).ok_or(NotACode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_printed_and_as_people_type_it() {
        assert_eq!(Code(20).to_string(), "PR020");
        for text in ["PR020", "pr20", "20", "Pr020"] {
            assert_eq!(text.parse(), Ok(Code(20)), "{text}");
        }
        for text in ["", "PR", "PR-1", "XX020", "PR0200", "PR02é", "é1"] {
            assert_eq!(text.parse::<Code>(), Err(NotACode), "{text}");
        }
    }
}
