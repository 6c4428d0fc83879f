//! Words that readers of Kubernetes or Rust documentation do not expect: a former dialect of this
//! project, which had a second language for what AWS, Kubernetes and Rust already name.

use std::path::Path;

/// The files that are checked: a file, or every file below a folder that ends with `/`. An empty
/// string checks the whole repository.
const CHECKED: [&str; 1] = [""];

/// Pages with text of the crates. They are checked together with the crates.
const GENERATED: [&str; 3] = ["docs/flags.md", "docs/logs.md", "docs/metrics.md"];

/// A word, and what to write instead.
const WORDS: [(&str, &str); 9] = [
    ("mend", "fix, hint"),
    ("mended", "fixed"),
    ("mending", "fixing"),
    ("mends", "fixes"),
    ("nobody", "no pod, no caller, none; or name the actor"),
    ("somebody", "a user, another process; or name the actor"),
    ("stands", "is, is current, is valid"),
    ("told", "reported, notified, returned"),
    ("whoever", "anyone who, a caller that; or name the actor"),
];

/// Sentences that users read before, and what replaced them.
const SENTENCES: [(&str, &str); 6] = [
    ("Found again, credentials that AWS refused", "How long the agent stays unready after ..."),
    ("What a decision follows from as it is now", "Versions of every input to the decision"),
    ("who pods are is not all read yet", "podrole has not finished loading ServiceAccounts ..."),
    ("the keys in hand stay", "could not refresh the cluster's signing keys: <error>; ..."),
    ("a successor could not be heard", "could not accept a connection on the handover socket"),
    ("Fields that nobody here knows are let be", "Unknown fields are ignored"),
];

/// A line that may have one of the words: where it is, a part of it, and why.
struct Allowed {
    file: &'static str,
    part: &'static str,
    reason: &'static str,
}

const ALLOWED: [Allowed; 2] = [
    Allowed { file: "tests/deny/words.rs", part: "", reason: "lists the words" },
    Allowed { file: "", part: "nobody:x:65534", reason: "a user of Unix" },
];

/// Whether `file` is one of those that are checked.
pub(crate) fn is_checked(file: &Path) -> bool {
    let file = file.to_string_lossy();
    if GENERATED.contains(&&*file) && !CHECKED.contains(&"") {
        return false;
    }
    CHECKED.iter().any(|checked| {
        file == *checked
            || ((checked.is_empty() || checked.ends_with('/')) && file.starts_with(checked))
    })
}

/// The words and sentences of `text` that must not be there, each with its line and replacement.
pub(crate) fn problems(file: &Path, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if is_allowed(file, line) {
            continue;
        }
        let place = format!("{}:{number}", file.display());
        for word in words(line) {
            if let Some((_, better)) = WORDS.iter().find(|(known, _)| *known == word) {
                problems.push(format!("{place}: \"{word}\": write {better}"));
            }
        }
        for (sentence, better) in SENTENCES {
            if line.contains(sentence) {
                problems.push(format!("{place}: \"{sentence}\": write \"{better}\""));
            }
        }
    }
    problems
}

fn is_allowed(file: &Path, line: &str) -> bool {
    ALLOWED.iter().any(|allowed| {
        (allowed.file.is_empty() || file == Path::new(allowed.file)) && line.contains(allowed.part)
    })
}

/// The words of a line in lower case. Names are split where their words begin, so that
/// `was_told` and `WasTold` have two.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in line.chars() {
        if !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_ascii_alphabetic(), words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        problems(Path::new("docs/a.md"), text).len()
    }

    #[test]
    fn a_word_is_found_in_prose_and_in_names() {
        assert_eq!(
            problems(Path::new("docs/a.md"), "one\nNobody reads it."),
            ["docs/a.md:2: \"nobody\": write no pod, no caller, none; or name the actor"]
        );
        for text in ["it stands", "fn is_told() {}", "struct KeyMends;", "Whoever", "let told ="] {
            assert_eq!(found(text), 1, "{text}");
        }
    }

    #[test]
    fn a_part_of_another_word_is_not_found() {
        for text in ["amended", "a recommendation", "it understands", "standstill", "TOLDO"] {
            assert_eq!(found(text), 0, "{text}");
        }
    }

    #[test]
    fn a_sentence_that_was_replaced_is_found() {
        assert_eq!(found("warn!(%error, \"the keys in hand stay\");"), 1);
    }

    #[test]
    fn a_line_with_a_reason_is_allowed() {
        assert_eq!(found("nobody:x:65534:65534:nobody:/tmp:/bin/sh"), 0);
        assert!(problems(Path::new("tests/deny/words.rs"), "nobody").is_empty());
        assert!(ALLOWED.iter().all(|allowed| !allowed.reason.is_empty()));
    }

    #[test]
    fn only_what_is_listed_is_checked() {
        assert!(is_checked(Path::new("docs/sdks.md")) && is_checked(Path::new("README.md")));
        let all = CHECKED.contains(&"");
        assert!(all || !is_checked(Path::new("docsite/a.md")));
    }
}
