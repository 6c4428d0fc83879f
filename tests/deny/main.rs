//! What `deny.toml` allows, held against what is built; and what no file of the repository may
//! hold.
//!
//! The graph is cargo's own, of what is really built for this platform: `Cargo.lock` also lists
//! packages that no chosen feature brings in.
#![forbid(unsafe_code)]

mod circles;
mod flags;
mod fuzz_lock;
mod graph;
mod hygiene;
mod logs;
mod metrics;
mod names;
mod notices;
mod one_decision;
mod page;
mod rules;
mod source;
mod words;

use std::fs;

use podrole_tests::project;
use rules::Rules;

fn rules() -> anyhow::Result<Rules> {
    Rules::read(&fs::read_to_string(project::root().join("deny.toml"))?)
}

/// Fails with all that is wrong, one a line.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n  {}\n", problems.join("\n  "));
}

#[test]
fn every_licence_is_allowed() {
    none(&rules().unwrap().licences(&graph::built().unwrap()));
}

#[test]
fn nothing_banned_is_built() {
    none(&rules().unwrap().bans(&graph::built().unwrap()));
}

/// It holds the capabilities that the agent, which parses what every pod sends, must not have.
#[test]
fn the_program_with_rights_on_the_node_is_small() {
    let packages = graph::built_for("--package=podrole-node").unwrap();
    let banned = ["rustls", "hyper", "http", "axum", "kube", "aws-lc-rs", "jsonwebtoken"];
    let found = packages
        .iter()
        .filter(|it| banned.contains(&it.name.as_str()) || it.name.starts_with("aws-"));
    none(&found.map(|it| it.path.join(" > ")).collect::<Vec<_>>());
    assert!((40..150).contains(&packages.len()), "{}", packages.len());
}

#[test]
fn every_source_is_allowed() {
    let lock = fs::read_to_string(project::root().join("Cargo.lock")).unwrap();
    none(&rules().unwrap().sources(&graph::locked(&lock).unwrap()));
}

#[test]
fn no_file_names_a_home_or_a_mirror_or_is_too_long() {
    let mirrors = hygiene::mirrors(std::env::vars());
    let mut problems = Vec::new();
    for file in project::files().unwrap() {
        // What is not text (an image, perhaps) names nothing.
        if let Ok(text) = fs::read_to_string(project::root().join(&file)) {
            problems.extend(hygiene::problems(&file, &text, &mirrors));
        }
    }
    none(&problems);
}

#[test]
fn files_are_written_in_plain_english() {
    let mut problems = Vec::new();
    for file in project::files().unwrap().into_iter().filter(|file| words::is_checked(file)) {
        if let Ok(text) = fs::read_to_string(project::root().join(&file)) {
            problems.extend(words::problems(&file, &text));
        }
    }
    none(&problems);
}

#[test]
fn files_that_documents_name_exist() {
    let (files, mut problems) = (project::files().unwrap(), Vec::new());
    for document in files.iter().filter(|file| file.extension().is_some_and(|it| it == "md")) {
        let text = fs::read_to_string(project::root().join(document)).unwrap();
        problems.extend(names::problems(document, &text, &files));
    }
    none(&problems);
}
