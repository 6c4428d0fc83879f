//! What was caught before need not be broken again while nothing that could matter has changed.
//!
//! It is read from the copy that the tests ran on and not from the repository, which may be edited
//! meanwhile. What could matter: the mutation itself, the crate that it is in, the one whose test must fail,
//! the crates that these depend on, the lock file and the toolchain.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};

use crate::list::Mutant;

/// The mutations that were caught, by all that could matter to them.
pub(crate) struct Memory {
    file: PathBuf,
    root: PathBuf,
    files: Vec<PathBuf>,
    caught: BTreeSet<String>,
}

impl Memory {
    /// What is remembered in `folder` of the `files` below `root`; nothing where it cannot be read.
    pub(crate) fn open(folder: &Path, root: PathBuf, files: Vec<PathBuf>) -> Self {
        let file = folder.join("caught");
        let text = fs::read_to_string(&file).unwrap_or_default();
        Self { file, root, files, caught: text.lines().map(str::to_owned).collect() }
    }

    /// Counts those that were caught before, and returns the others.
    pub(crate) fn divide(&self, mutants: Vec<Mutant>) -> anyhow::Result<(usize, Vec<Mutant>)> {
        let (all, mut unknown) = (mutants.len(), Vec::new());
        for mutant in mutants {
            if !self.knows(&mutant)? {
                unknown.push(mutant);
            }
        }
        Ok((all - unknown.len(), unknown))
    }

    /// Whether this mutation was caught with the files that are below the root now.
    fn knows(&self, mutant: &Mutant) -> anyhow::Result<bool> {
        Ok(self.caught.contains(&self.key(mutant)?))
    }

    /// Remembers that it was caught.
    pub(crate) fn caught(&mut self, mutant: &Mutant) -> anyhow::Result<()> {
        self.caught.insert(self.key(mutant)?);
        let lines: Vec<&str> = self.caught.iter().map(String::as_str).collect();
        Ok(fs::write(&self.file, lines.join("\n"))?)
    }

    fn key(&self, mutant: &Mutant) -> anyhow::Result<String> {
        let mut hash = Context::new(&SHA256);
        let Mutant { name, file, find, replace, test } = mutant;
        for text in [name, file, find, replace, test] {
            hash.update(text.as_bytes());
            hash.update(&[0]);
        }
        let mut crates = BTreeSet::new();
        needs(&self.root, file.split('/').next().unwrap_or_default(), &mut crates);
        for name in test.split(' ').filter_map(|word| word.strip_prefix("podrole-")) {
            needs(&self.root, name, &mut crates);
        }
        for path in &self.files {
            let folder = path.iter().next().and_then(|name| name.to_str()).unwrap_or_default();
            let shared = ["Cargo.lock", "Cargo.toml", "rust-toolchain.toml"].contains(&folder);
            if shared || crates.contains(folder) {
                hash.update(path.to_string_lossy().as_bytes());
                hash.update(&fs::read(self.root.join(path))?);
            }
        }
        Ok(hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A crate's folder, and those of the crates of ours that its manifest names.
fn needs(root: &Path, folder: &str, all: &mut BTreeSet<String>) {
    if !all.insert(folder.to_owned()) {
        return;
    }
    let manifest = root.join(folder).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    let named = manifest.lines().filter_map(|line| line.strip_prefix("podrole-"));
    for name in named.filter_map(|line| line.split(['.', ' ']).next()) {
        needs(root, name, all);
    }
}

#[cfg(test)]
mod tests {
    use podrole_tests::project;

    use super::*;

    #[test]
    fn a_crate_needs_what_its_manifest_names() {
        let mut all = BTreeSet::new();
        needs(project::root(), "webhook", &mut all);
        for folder in ["webhook", "certs", "identity", "runtime"] {
            assert!(all.contains(folder), "{folder} is missing: {all:?}");
        }
        assert!(!all.contains("agent"), "{all:?}");
    }

    #[test]
    fn another_mutation_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let mutant = |replace: &str| Mutant {
            name: "a".into(),
            file: "identity/src/arn.rs".into(),
            find: "x".into(),
            replace: replace.into(),
            test: "-p podrole-identity".into(),
        };
        let open = || {
            let files = project::files().unwrap();
            Memory::open(folder.path(), project::root().to_owned(), files)
        };
        let mut memory = open();
        memory.caught(&mutant("y")).unwrap();
        let memory = open();
        assert!(memory.knows(&mutant("y")).unwrap());
        assert!(!memory.knows(&mutant("z")).unwrap());
    }
}
