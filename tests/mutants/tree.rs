//! The copy of the repository that is mutated.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use podrole_tests::project;

/// A copy in the cache: files that are as they were keep their times, so that little is rebuilt.
pub(crate) struct Tree {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

impl Tree {
    /// Copies what git tracks or would track, and takes away what is there no longer.
    pub(crate) fn copy(from: &Path, folder: &Path) -> anyhow::Result<Self> {
        let tree = Self { folder: folder.to_owned(), files: project::files()? };
        let files = &tree.files;
        let manifest = folder.join("files");
        let before = fs::read_to_string(&manifest).unwrap_or_default();
        for gone in before.lines().filter(|file| !files.iter().any(|it| it == Path::new(file))) {
            // It may be gone already.
            let _ = fs::remove_file(tree.root().join(gone));
        }
        for file in files {
            let bytes = fs::read(from.join(file))?;
            tree.put(file, &bytes)?;
            // Scripts stay programs.
            let mode = fs::metadata(from.join(file))?.permissions();
            fs::set_permissions(tree.root().join(file), mode)?;
        }
        let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        fs::write(&manifest, names.join("\n"))?;
        Ok(tree)
    }

    /// Where the copy is.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// What is in it, from its root.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Where it is built.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    pub(crate) fn read(&self, file: &str) -> std::io::Result<String> {
        fs::read_to_string(self.root().join(file))
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> anyhow::Result<()> {
        self.put(Path::new(file), text.as_bytes())
    }

    /// Writes a file unless it holds just that.
    fn put(&self, file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.root().join(file);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }
}
