//! IAM's wildcards: `*` matches any text, `?` any one character.

/// A text in which some characters are wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern(Vec<PatternToken>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternToken {
    Any,
    One,
    Plain(char),
}

impl Pattern {
    /// Parses a text with wildcards.
    pub(super) fn new(text: &str) -> Self {
        let mut pattern = Self::default();
        pattern.push(text);
        pattern
    }

    /// Appends a text with wildcards.
    pub(super) fn push(&mut self, text: &str) {
        self.0.extend(text.chars().map(|c| match c {
            '*' => PatternToken::Any,
            '?' => PatternToken::One,
            plain => PatternToken::Plain(plain),
        }));
    }

    /// Appends a text without wildcards: `*` matches only `*`.
    pub(super) fn push_plain(&mut self, text: &str) {
        self.0.extend(text.chars().map(PatternToken::Plain));
    }

    /// The text, for operators without wildcards.
    pub(super) fn text(&self) -> String {
        let text = self.0.iter().map(|token| match token {
            PatternToken::Any => '*',
            PatternToken::One => '?',
            PatternToken::Plain(c) => *c,
        });
        text.collect()
    }

    /// The six parts of an ARN, if there are that many.
    pub(super) fn arn_parts(&self) -> Option<[Self; 6]> {
        let parts = self.0.splitn(6, |token| *token == PatternToken::Plain(':'));
        let parts: Vec<Self> = parts.map(|part| Self(part.to_vec())).collect();
        parts.try_into().ok()
    }

    /// Whether the whole text matches, case-sensitively.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (&self.0, text.chars().collect::<Vec<char>>());
        let (mut at, mut read) = (0, 0);
        // The position of the last `*`, and the end of the text that it matches so far. Going back to only the
        // last one keeps the time quadratic at worst.
        let mut star: Option<(usize, usize)> = None;
        while read < text.len() {
            match pattern.get(at) {
                Some(PatternToken::Any) => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(&token)
                    if token == PatternToken::One || token == PatternToken::Plain(text[read]) =>
                {
                    at += 1;
                    read += 1;
                }
                _ => {
                    let Some((back, taken)) = star else {
                        return false;
                    };
                    star = Some((back, taken + 1));
                    at = back + 1;
                    read = taken + 1;
                }
            }
        }
        pattern[at..].iter().all(|&token| token == PatternToken::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).matches(text)
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a", "A", false),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "é", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab ab a", false),
            ("system:*:shop:*", "system:serviceaccount:shop:app", true),
            ("[ab]", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_match_in_bounded_time() {
        assert!(!matches(&"*a".repeat(500), &"b".repeat(5000)));
    }

    #[test]
    fn plain_text_has_no_wildcards() {
        let mut pattern = Pattern::new("a*");
        pattern.push_plain("*?");
        assert!(pattern.matches("abc*?"));
        assert!(!pattern.matches("abcde"));
        assert_eq!(pattern.text(), "a**?");
    }
}
