//! Blanks that come with pasted text: spaces, line breaks and characters that have no width.

use std::fmt;

/// A blank character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blank(char);

/// Whether a character is a blank. Besides Unicode's white space these are the characters without
/// width that web pages and chat programs add to copied text.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// The text without the blanks around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// The first blank of a text.
pub(crate) fn first(text: &str) -> Option<Blank> {
    text.chars().find(|c| is_blank(*c)).map(Blank)
}

impl fmt::Display for Blank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a space"),
            '\n' | '\r' => f.write_str("a line break"),
            '\t' => f.write_str("a tab"),
            other => write!(f, "the invisible character U+{:04X}", u32::from(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_text_are_trimmed_and_named() {
        for (text, name) in [
            (" app", "a space"),
            ("app\n", "a line break"),
            ("app\r\n", "a line break"),
            ("\tapp", "a tab"),
            ("app\u{a0}", "the invisible character U+00A0"),
            ("\u{feff}app", "the invisible character U+FEFF"),
            ("app\u{200b}", "the invisible character U+200B"),
        ] {
            assert_eq!(trim(text), "app", "{text:?}");
            assert_eq!(first(text).unwrap().to_string(), name, "{text:?}");
        }
        assert_eq!((trim("a b"), first("app")), ("a b", None));
    }
}
