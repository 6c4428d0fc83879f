//! `NOTICE` passes on what the packages of the binaries have in theirs, as Apache-2.0 asks.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use podrole_tests::project;

use crate::{graph::Package, none};

#[test]
fn every_notice_of_a_package_is_passed_on() -> anyhow::Result<()> {
    let ours = fs::read_to_string(project::root().join("NOTICE"))?;
    let mut problems = Vec::new();
    for package in crate::graph::built()? {
        for notice in notices(&package)? {
            if !passes_on(&ours, &notice) {
                let Package { name, version, .. } = &package;
                problems.push(format!("NOTICE lacks the text of {name} {version}'s"));
            }
        }
    }
    none(&problems);
    Ok(())
}

/// Whether each line of `theirs` is in `ours`, in the same order.
fn passes_on(ours: &str, theirs: &str) -> bool {
    let mut ours = ours.lines().map(str::trim);
    theirs.lines().map(str::trim).all(|line| ours.any(|it| it == line))
}

/// The texts of a package's NOTICE files, as cargo has unpacked it.
fn notices(package: &Package) -> anyhow::Result<Vec<String>> {
    let folder = format!("{}-{}", package.name, package.version);
    let mut found = Vec::new();
    for registry in entries(&cargo_home()?.join("registry/src")) {
        for file in entries(&registry.join(&folder)) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            if ["notice", "notice.md", "notice.txt"].contains(&name.as_str()) {
                found.push(fs::read_to_string(file)?);
            }
        }
    }
    Ok(found)
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    let home = || Some(Path::new(&env::var_os("HOME")?).join(".cargo"));
    let found = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    found.context("neither CARGO_HOME nor HOME is set")
}

/// What is in a folder; nothing if there is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn a_notice_must_be_there_whole() {
    assert!(passes_on("podrole\n\n    One\n    two", "One\ntwo\n"));
    assert!(!passes_on("podrole\n\n    One", "One\ntwo\n"));
}
