//! What no file of the repository may hold: a person's home, a package mirror, too many lines.

use std::path::Path;

/// Lines of a source file; longer ones are split by subject.
const LINES: usize = 350;
/// Where the package managers fetch from unless a machine's own configuration says otherwise.
const REGISTRIES: [&str; 9] = [
    "crates.io",
    "files.pythonhosted.org",
    "github.com",
    "index.crates.io",
    "proxy.golang.org",
    "pypi.org",
    "registry.npmjs.org",
    "repo.maven.apache.org",
    "repo1.maven.org",
];
/// Folders that homes are in, or are.
const HOMES: [&str; 3] = ["home", "root", "Users"];

/// The hosts of this machine's own mirrors, as its environment names them.
pub(crate) fn mirrors(variables: impl Iterator<Item = (String, String)>) -> Vec<String> {
    variables
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            let manager = ["cargo_registr", "cargo_source", "goproxy", "npm_", "pip_"];
            manager.iter().any(|prefix| name.starts_with(prefix))
        })
        .flat_map(|(_, value)| hosts(&value))
        .filter(|host| !REGISTRIES.contains(&host.as_str()))
        .collect()
}

/// All problems of one file.
pub(crate) fn problems(file: &Path, text: &str, mirrors: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut report = |what: &str| problems.push(format!("{}:{number}: {what}", file.display()));
        if names_home(line) {
            report("names a user's home directory");
        }
        if mirrors.iter().any(|mirror| line.contains(mirror.as_str())) {
            report("names this machine's package mirror");
        }
        let known = |host: &String| REGISTRIES.contains(&host.as_str());
        if is_lock(file) && !hosts(line).iter().all(known) {
            report("names a host that is not a public registry");
        }
    }
    let lines = text.lines().count();
    if is_source(file, text) && lines > LINES {
        let file = file.display();
        problems.push(format!("{file}: {lines} lines, and {LINES} are the most"));
    }
    problems
}

/// The hosts of the URLs in `text`, without port and user.
fn hosts(text: &str) -> Vec<String> {
    let host = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-._@:%".contains(c)));
        let authority = &rest[..end.unwrap_or(rest.len())];
        let host = authority.rsplit('@').next().unwrap_or_default();
        host.split(':').next().unwrap_or_default().to_owned()
    };
    let urls = text.split("://").skip(1);
    urls.map(host).filter(|host| !host.is_empty()).collect()
}

/// An absolute path into a home: the folder, with nothing of a path before it, and a name after.
fn names_home(line: &str) -> bool {
    HOMES.iter().any(|home| {
        let home = format!("/{home}/");
        line.match_indices(&home).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + home.len()..].chars().next();
            let in_path = |c: char| c.is_alphanumeric() || "./_-*}$~".contains(c);
            !before.is_some_and(in_path)
                && after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.')
        })
    })
}

fn is_lock(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.ends_with(".lock")
        || name.ends_with("-lock.json")
        || name == "go.sum"
        || name.starts_with("requirements")
}

fn is_source(file: &Path, text: &str) -> bool {
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    ["go", "java", "js", "mjs", "py", "rs", "sh"].contains(&extension.as_ref())
        || text.starts_with("#!")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, text: &str) -> Vec<String> {
        problems(Path::new(file), text, &["mirror.example.org".to_owned()])
    }

    #[test]
    fn a_home_directory_is_reported_with_its_line() {
        for home in HOMES {
            let text = format!("one\npath = \"/{home}/jo/src\"\n");
            assert_eq!(found("a.md", &text), ["a.md:2: names a user's home directory"]);
            assert!(found("a.md", &format!("see docs/{home}/page")).is_empty());
            assert!(found("a.md", &format!("the folder /{home}/")).is_empty());
        }
    }

    #[test]
    fn a_mirror_is_reported_in_any_file() {
        assert_eq!(found("a.md", "https://mirror.example.org/simple").len(), 1);
    }

    #[test]
    fn a_lock_file_names_public_registries_alone() {
        assert_eq!(found("Cargo.lock", "\"registry+https://crates.example.org/i\"").len(), 1);
        assert_eq!(found("requirements.txt", "-i https://a:b@pip.example.org:8/x").len(), 1);
        assert!(found("Cargo.lock", "\"registry+https://github.com/rust-lang/x\"").is_empty());
        assert!(found("a.md", "https://docs.example.org").is_empty());
    }

    #[test]
    fn a_long_source_file_is_reported_but_a_long_text_is_not() {
        let long = "x\n".repeat(LINES + 1);
        assert_eq!(found("a.rs", &long).len(), 1);
        assert_eq!(found("script", &format!("#!/bin/sh\n{long}")).len(), 1);
        assert!(found("a.rs", &"x\n".repeat(LINES)).is_empty());
        assert!(found("a.json", &long).is_empty());
    }

    #[test]
    fn mirrors_are_read_from_the_environment() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = [
            variable("GOPROXY", "https://go.example.org/x,https://proxy.golang.org,direct"),
            variable("PIP_INDEX_URL", "https://jo:secret@pip.example.org:8443/simple"),
            variable("BROWSER_HOME", "https://www.example.org"),
        ];
        let mirrors = mirrors(variables.into_iter());
        assert_eq!(mirrors, ["go.example.org", "pip.example.org"]);
    }
}
