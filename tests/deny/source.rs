//! The daemons' sources as text, without their tests.

use std::fs;

use anyhow::Context as _;
use podrole_tests::project;

/// The sources of a crate that are not tests: each file's path and text.
pub(crate) fn files(krate: &str) -> anyhow::Result<Vec<(String, String)>> {
    let folder = format!("{krate}/src/");
    let mut files = Vec::new();
    for file in project::files()? {
        let name = file.to_string_lossy().into_owned();
        if name.starts_with(&folder) && name.ends_with(".rs") && !is_test(&name) {
            let text = fs::read_to_string(project::root().join(&file)).context(name.clone())?;
            files.push((name, without_tests(&text).to_owned()));
        }
    }
    Ok(files)
}

fn is_test(file: &str) -> bool {
    file.split(['/', '.']).any(|part| ["tests", "fuzz"].contains(&part))
}

/// A file's text up to its module of tests, which is the last thing in it.
fn without_tests(text: &str) -> &str {
    let tests = text.find("\n#[cfg(test)]\nmod tests {");
    tests.map_or(text, |tests| &text[..tests])
}

/// What is between the bracket at the start of `text` and the one that closes it.
pub(crate) fn bracketed(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in outside_of_strings(text) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..at);
        }
    }
    None
}

/// The parts of `text` between its commas, brackets and strings left whole.
pub(crate) fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut arguments) = (0_usize, 0, Vec::new());
    for (at, c) in outside_of_strings(text) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                arguments.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    arguments.push(text[from..].trim());
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

/// The characters that are not inside of string literals.
fn outside_of_strings(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut inside, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, c)| {
        let quote = *c == '"' && !escaped;
        escaped = inside && *c == '\\' && !escaped;
        let outside = !inside && !quote;
        inside ^= quote;
        outside
    })
}

/// The content of the string literal that `text` begins with.
pub(crate) fn literal(text: &str) -> Option<String> {
    let rest = text.strip_prefix('"')?;
    let mut characters = rest.chars();
    let mut content = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(content),
            '\\' => match characters.next()? {
                // The next line goes on without its indentation.
                '\n' => {
                    let rest = characters.as_str().trim_start();
                    characters = rest.chars();
                }
                'n' => content.push('\n'),
                other => content.push(other),
            },
            other => content.push(other),
        }
    }
}

/// All string literals of `text`, each with what follows it.
pub(crate) fn literals(text: &str) -> Vec<(String, &str)> {
    let (mut rest, mut found) = (text, Vec::new());
    while let Some(at) = rest.find('"') {
        let Some(content) = literal(&rest[at..]) else {
            break;
        };
        let length = length(&rest[at..]);
        rest = rest.get(at + length..).unwrap_or_default();
        found.push((content, rest));
    }
    found
}

/// The bytes of the string literal that `text` begins with, quotes included.
fn length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_outside_of_brackets_and_strings() {
        let call = r#"(%error, a = f(x, y), "one, (two) \" three") rest"#;
        let inside = bracketed(call).unwrap();
        assert_eq!(arguments(inside), ["%error", "a = f(x, y)", r#""one, (two) \" three""#]);
    }

    #[test]
    fn a_literal_is_read_as_rust_reads_it() {
        let text = "f(\"a \\\"b\\\" \\\n      c\", \"d\")";
        let found: Vec<_> = literals(text).into_iter().map(|(content, _)| content).collect();
        assert_eq!(found, ["a \"b\" c", "d"]);
        assert_eq!(literal("no"), None);
    }

    #[test]
    fn tests_are_no_part_of_a_source() {
        assert_eq!(without_tests("fn a() {}\n#[cfg(test)]\nmod tests {\n}\n"), "fn a() {}");
        assert!(is_test("agent/src/tests/x.rs") && is_test("agent/src/keep/tests.rs"));
        assert!(!is_test("agent/src/attests.rs"));
    }
}
