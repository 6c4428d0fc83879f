//! Source files that the documents name exist.

use std::path::{Path, PathBuf};

/// Files that do not exist yet under the name by which the documents call them.
const PENDING: [&str; 21] = [
    "agent/src/credential_cache/key.rs",
    "agent/src/fast_path.rs",
    "association_list.rs",
    "ca_bundle.rs",
    "certs/src/self_check.rs",
    "credential_cache.rs",
    "desired.rs",
    "fast_path.rs",
    "grant.rs",
    "grant_args.rs",
    "hint.rs",
    "idle_connections.rs",
    "live_reads.rs",
    "negative_cache.rs",
    "per_peer_limit.rs",
    "pod_added.rs",
    "rate_limit.rs",
    "refresher.rs",
    "singleflight.rs",
    "source_credentials.rs",
    "throttle.rs",
];

/// The Rust files in backquotes that are none of `files`, each with its line.
pub(crate) fn problems(document: &Path, text: &str, files: &[PathBuf]) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let quoted = line.split('`').skip(1).step_by(2);
        for name in quoted.filter(|name| is_source(name)) {
            let exists = files.iter().any(|file| file.ends_with(name));
            let pending = PENDING.iter().any(|pending| Path::new(name).ends_with(pending));
            if !exists && !pending {
                problems.push(format!("{}:{number}: there is no {name}", document.display()));
            }
        }
    }
    problems
}

fn is_source(name: &str) -> bool {
    name.ends_with(".rs") && !name.contains([' ', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_exist_is_found() {
        let files = [PathBuf::from("agent/src/http.rs")];
        let check = |text| problems(Path::new("A.md"), text, &files);
        assert!(check("`http.rs`, `agent/src/http.rs` and `rs`").is_empty());
        assert_eq!(check("\nsee `other.rs`"), ["A.md:2: there is no other.rs"]);
        assert_eq!(check("`webhook/src/http.rs`").len(), 1);
    }
}
