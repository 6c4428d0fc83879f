//! Words of commands that people paste into a shell.

/// A word as a shell takes it: quoted if it has to be. Control characters, which no name of an object has, are
/// removed: what is pasted must be what is seen.
pub(crate) fn quoted(word: &str) -> String {
    let word: String = word.chars().filter(|c| !c.is_control()).collect();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&byte);
    // `=` begins an expansion in zsh, and a word of nothing is none.
    if !word.is_empty() && !word.starts_with('=') && word.bytes().all(is_plain) {
        return word;
    }
    shlex::try_quote(&word).map(Into::into).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_cannot_become_a_command() {
        for plain in ["app", "a.b/c=arn:aws:iam::111122223333:role/x", "a-"] {
            assert_eq!(quoted(plain), plain);
        }
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("=x"), "'=x'");
        assert_eq!(quoted("a b*"), "'a b*'");
        assert_eq!(quoted("a;reboot"), "'a;reboot'");
        assert_eq!(quoted("a\u{1b}b\nc"), "abc");
    }
}
