//! The demo as a user runs it: the real binary, from outside.
#![forbid(unsafe_code)]

mod bad_input;
mod cases;
mod command;
mod story;

use std::{
    ffi::OsStr,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use anyhow::Context as _;
use podrole_tests::project;
use serde_json::Value;

/// The ARN of the examples' role as an assumed role, up to the session name.
const EXAMPLE: &str = "arn:aws:sts::111122223333:assumed-role/shop-app/";

/// `podrole demo ARGS`, ready to run: at the root, and without this machine's own AWS settings.
fn demo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> anyhow::Result<Command> {
    let mut command = Command::new(project::binary("podrole")?);
    command.arg("demo").args(args).current_dir(project::root());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

fn run(args: &[&str]) -> anyhow::Result<Output> {
    Ok(demo(args)?.output()?)
}

/// The one JSON object that `--json` prints, and whether the exit code was 0.
fn json(args: &[&str]) -> anyhow::Result<(Value, bool)> {
    let output = demo(args)?.arg("--json").output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let object = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{args:?}: standard output is not one JSON object; {stderr}"))?;
    Ok((object, output.status.success()))
}

/// A folder with one file of manifests in it.
struct Manifests {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Manifests {
    fn new(name: &str, text: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(Self { _folder: folder, path })
    }

    fn path(&self) -> anyhow::Result<&str> {
        self.path.to_str().context("the path is not UTF-8")
    }
}
