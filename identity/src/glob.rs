//! Patterns in which `*` matches any characters except `:`, and `?` matches one.

/// Glob matching without recursion: on a mismatch, the last `*` matches one more byte. Earlier ones
/// need not be tried again, so the time is at most the product of both lengths.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(at_text) {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
                continue;
            }
            Some(b'?') if byte != b':' => {}
            Some(&wanted) if wanted == byte => {}
            _ => {
                let Some((of_star, taken)) = star.filter(|(_, taken)| text[*taken] != b':') else {
                    return false;
                };
                star = Some((of_star, taken + 1));
                (at_pattern, at_text) = (of_star + 1, taken + 1);
                continue;
            }
        }
        at_pattern += 1;
        at_text += 1;
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_does_not_match_a_colon() {
        assert!(!matches(b"arn:*/app-1", b"arn:aws:iam::111122223333:role/team/app-1"));
        assert!(!matches(b"a*c", b"a:c") && !matches(b"a?c", b"a:c"));
        assert!(matches(b"a*c", b"abbc") && matches(b"a*:c", b"ab:c"));
        assert!(!matches(b"*b", b"a:b") && !matches(b"a*", b"a:"));
        assert!(matches(b"a**", b"a") && matches(b"*", b""));
    }

    #[test]
    fn many_stars_cost_no_more_than_length_times_length() {
        let text = format!("arn:aws:iam::111122223333:role/{}", "a".repeat(400));
        let pattern = format!("arn:aws:iam::111122223333:role/{}b", "a*".repeat(100));
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }
}
