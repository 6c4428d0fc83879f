//! The copy of the repository that is mutated, and its build.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use podrole_tests::project;

/// What of a build is taken over, and how: all that cargo needs to find it fresh. rustc and the linker replace their files,
/// so links to them do no harm. cargo writes its fingerprints in place: a link would tell the build beside this
/// one that it has compiled what was compiled here.
const TAKEN: [(&str, &str); 4] =
    [(".fingerprint", "-a"), ("build", "-al"), ("deps", "-al"), ("incremental", "-al")];

/// Locks `folder` against a second run, which would write the same memory.
///
/// # Errors
/// When another run holds it.
pub(crate) fn lock(folder: &Path) -> anyhow::Result<File> {
    fs::create_dir_all(folder)?;
    let path = folder.join("lock");
    let file = File::create(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another run holds {}: wait until it ends", path.display())
        }
        Err(TryLockError::Error(error)) => Err(error).context("could not lock"),
    }
}

/// A copy in the build folder. Its files have the times of the originals, so that cargo finds fresh what is fresh there.
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
            let original = fs::metadata(from.join(file))?;
            fs::set_permissions(tree.root().join(file), original.permissions())?;
            File::options()
                .append(true)
                .open(tree.root().join(file))?
                .set_modified(original.modified()?)?;
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

    /// Starts the copy's build anew, as hard links to the build beside it.
    pub(crate) fn link_build(&self) -> anyhow::Result<()> {
        let into = self.target().join("debug");
        if into.exists() {
            fs::remove_dir_all(&into)?;
        }
        fs::create_dir_all(&into)?;
        let from = self.folder.with_file_name("debug");
        for (part, how) in TAKEN.map(|(part, how)| (from.join(part), how)) {
            if !part.exists() {
                continue;
            }
            // A file may vanish while another cargo works there. What is missing is compiled.
            if !Command::new("cp").arg(how).arg(&part).arg(&into).status()?.success() {
                eprintln!("could not link all of {}; compiling what is missing", part.display());
            }
        }
        Ok(())
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
