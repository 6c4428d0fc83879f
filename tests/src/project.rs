//! The repository: its root, its files, and the binaries that were built from it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use anyhow::{Context as _, ensure};

/// The variable that says where the repository is, where that is not the folder it was compiled in.
pub const ROOT: &str = "PODROLE_ROOT";

/// The repository's root: `$PODROLE_ROOT`, else where this was compiled.
#[must_use]
pub fn root() -> &'static Path {
    static ROOT_PATH: LazyLock<PathBuf> = LazyLock::new(|| {
        let compiled_in = Path::new(env!("CARGO_MANIFEST_DIR"));
        let compiled_root = || compiled_in.parent().unwrap_or(compiled_in).to_owned();
        std::env::var_os(ROOT).map_or_else(compiled_root, PathBuf::from)
    });
    &ROOT_PATH
}

/// The files that git tracks or would track, relative to the root; those that are there.
///
/// # Errors
/// If git does not answer.
pub fn files() -> anyhow::Result<Vec<PathBuf>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "-co", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("cannot run git")?;
    ensure!(listed.status.success(), "git cannot list the files here");
    let listed = String::from_utf8(listed.stdout).context("a file's name is not UTF-8")?;
    let mut files: Vec<_> = listed
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|file| root().join(file).is_file())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// A binary of the project: in `$PODROLE_BIN` (a folder), else where cargo has built it beside this
/// test.
///
/// # Errors
/// If it is not there; the message says how to build it.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let beside = || {
        let test = std::env::current_exe().ok()?;
        Some(test.parent()?.parent()?.to_owned())
    };
    let folder = std::env::var_os("PODROLE_BIN").map(PathBuf::from).or_else(beside);
    let path = folder.unwrap_or_default().join(name);
    ensure!(
        path.is_file(),
        "no binary at {}: run `cargo build --workspace --bins` first",
        path.display()
    );
    Ok(path)
}

/// What the script at `path` (relative to the root) prints: a folder's path.
///
/// # Errors
/// What the script says when it cannot.
pub fn folder_from(script: &str) -> anyhow::Result<PathBuf> {
    let run = Command::new(root().join(script))
        .output()
        .with_context(|| format!("cannot run {script}"))?;
    let said = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "{script}: {}", said.trim());
    Ok(String::from_utf8(run.stdout)?.trim().into())
}

/// Where what is made once is kept: `$PODROLE_CACHE`, else `podrole` in the user's cache.
///
/// # Errors
/// If the user has neither a cache nor a home.
pub fn cache() -> anyhow::Result<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    folder("PODROLE_CACHE")
        .map(PathBuf::from)
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| Path::new(&cache).join("podrole")))
        .or_else(|| folder("HOME").map(|home| Path::new(&home).join(".cache/podrole")))
        .context("set PODROLE_CACHE to a folder for what is built once")
}
