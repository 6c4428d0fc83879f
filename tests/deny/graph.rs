//! The packages that are built, and those that `Cargo.lock` pins.

use std::{collections::HashSet, env, process::Command};

use anyhow::{Context as _, ensure};
use podrole_tests::project;
use serde::Deserialize;

/// A package of the graph.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its licence expression as its author wrote it.
    pub(crate) licence: String,
    /// What pulls it in, from one of ours down to itself.
    pub(crate) path: Vec<String>,
}

/// A package of `Cargo.lock`.
#[derive(Debug, Deserialize)]
pub(crate) struct Locked {
    pub(crate) name: String,
    /// None where it is ours.
    pub(crate) source: Option<String>,
}

/// What is built for this platform, tests apart.
pub(crate) fn built() -> anyhow::Result<Vec<Package>> {
    built_for("--workspace")
}

/// The same for one package: `--package=NAME`.
pub(crate) fn built_for(which: &str) -> anyhow::Result<Vec<Package>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--locked", which, "--edges", "normal,build"])
        .args(["--prefix", "depth", "--format", "|{p}|{l}|"])
        .current_dir(project::root())
        .output()
        .context("cannot run cargo tree")?;
    let said = String::from_utf8_lossy(&tree.stderr);
    ensure!(tree.status.success(), "cargo tree: {said}");
    packages(&String::from_utf8(tree.stdout)?)
}

/// Reads lines like `2|name v1.2.3 (proc-macro)|MIT|`, a child one deeper than its parent.
pub(crate) fn packages(tree: &str) -> anyhow::Result<Vec<Package>> {
    let (mut path, mut seen, mut packages) = (Vec::new(), HashSet::new(), Vec::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let mut fields = line.split('|');
        let mut next = || fields.next().with_context(|| format!("cargo tree: {line}"));
        let (depth, id, licence) = (next()?.parse::<usize>()?, next()?, next()?);
        let mut words = id.split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        let version = words.next().unwrap_or_default().trim_start_matches('v');
        path.truncate(depth);
        path.push(format!("{name} {version}"));
        if seen.insert(id.to_owned()) {
            packages.push(Package {
                name,
                version: version.to_owned(),
                licence: licence.to_owned(),
                path: path.clone(),
            });
        }
    }
    Ok(packages)
}

/// What `Cargo.lock` pins.
pub(crate) fn locked(lock: &str) -> anyhow::Result<Vec<Locked>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    Ok(toml::from_str::<Lock>(lock)?.package)
}

#[test]
fn a_tree_gives_each_package_once_with_its_path() {
    let tree = "0|ours v0.1.0 (/x)|MIT|\n1|a v1.0.0|MIT|\n2|b v2.0.0 (proc-macro)|ISC|\n\
                1|c v3.0.0|MIT|\n2|b v2.0.0 (proc-macro)|ISC| (*)\n\n0|more v0.1.0 (/y)||\n";
    let packages = packages(tree).unwrap();
    let names: Vec<_> = packages.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["ours", "a", "b", "c", "more"]);
    assert_eq!(packages[2].path, ["ours 0.1.0", "a 1.0.0", "b 2.0.0"]);
    assert_eq!(packages[2].licence, "ISC");
    assert_eq!(packages[3].path, ["ours 0.1.0", "c 3.0.0"]);
}
