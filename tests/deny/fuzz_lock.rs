//! `fuzz/` is a workspace of its own with a lock file of its own, which only `./test all` builds: a dependency that is
//! added to one of our crates must be in that file too.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, ensure};
use podrole_tests::project;
use toml::{Table, Value};

const LOCK: &str = "fuzz/Cargo.lock";

#[test]
fn the_lock_file_of_fuzz_has_what_our_crates_need() -> anyhow::Result<()> {
    let lock: Table = fs::read_to_string(project::root().join(LOCK))?.parse()?;
    let packages = lock["package"].as_array().context("no packages")?;
    let (mut missing, mut crates) = (Vec::new(), 0);
    for package in packages.iter().filter(|package| package.get("source").is_none()) {
        let name = package["name"].as_str().context("a package without a name")?;
        let Some(folder) = name.strip_prefix("podrole-").filter(|folder| *folder != "fuzz") else {
            continue;
        };
        let locked = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let locked: BTreeSet<_> =
            locked.filter_map(|it| it.as_str()?.split_whitespace().next()).collect();
        let manifest = project::root().join(folder).join("Cargo.toml");
        let manifest: Table = fs::read_to_string(manifest).context(folder.to_owned())?.parse()?;
        let needed = needed(&manifest);
        crates += 1;
        missing.extend(
            needed
                .iter()
                .filter(|it| !locked.contains(it.as_str()))
                .map(|it| format!("{name}: {it}")),
        );
    }
    ensure!(crates >= 4, "{LOCK} has only {crates} of our crates");
    ensure!(
        missing.is_empty(),
        "{LOCK} lacks {}: run `cargo metadata --manifest-path fuzz/Cargo.toml`",
        missing.join(", ")
    );
    Ok(())
}

/// The dependencies of a crate, those of one system included.
fn needed(manifest: &Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.get("dependencies")?.as_table());
    let own = manifest.get("dependencies").and_then(Value::as_table);
    own.into_iter().chain(tables).flat_map(Table::keys).cloned().collect()
}
