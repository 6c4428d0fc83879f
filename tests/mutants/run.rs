//! `cargo test` on the copy, and what its end means.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    thread,
    time::Duration,
};

use podrole_tests::project;
use tokio::time::Instant;

/// A mutation may make a test wait for ever; that is a catch, but not before this.
const PATIENCE: Duration = Duration::from_secs(180);
/// Building may take long on the first run.
const BUILD_PATIENCE: Duration = Duration::from_secs(1800);

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A test failed.
    Caught,
    /// All tests passed: nothing checks this.
    Missed,
    /// The entry is wrong: it says why.
    Invalid(String),
}

impl Outcome {
    /// The line for `name`.
    pub(crate) fn line(&self, name: &str) -> String {
        match self {
            Self::Caught => format!("caught {name}"),
            Self::Missed => format!("NOT CAUGHT {name}"),
            Self::Invalid(error) => format!("INVALID {name}: {error}"),
        }
    }
}

/// cargo in the copy, with a build folder of its own.
pub(crate) struct Cargo {
    root: PathBuf,
    target: PathBuf,
}

impl Cargo {
    pub(crate) fn new(root: PathBuf, target: PathBuf) -> Self {
        Self { root, target }
    }

    /// Why the unmutated code does not pass `test`, if it does not.
    pub(crate) fn passes(&self, test: &str) -> anyhow::Result<Option<String>> {
        if let Some(error) = self.does_not_build(test)? {
            return Ok(Some(error));
        }
        let (status, output) = self.cargo("", test, PATIENCE)?;
        Ok(if status.is_none_or(|status| !status.success()) {
            Some(format!("without a mutation `cargo test {test}` fails"))
        } else if passed(&output) == 0 {
            Some(format!("`cargo test {test}` runs no test"))
        } else {
            None
        })
    }

    /// What `test` says of the mutated code.
    pub(crate) fn judge(&self, test: &str) -> anyhow::Result<Outcome> {
        if let Some(error) = self.does_not_build(test)? {
            return Ok(Outcome::Invalid(error));
        }
        let (status, output) = self.cargo("", test, PATIENCE)?;
        Ok(match status {
            None => Outcome::Caught,
            Some(status) if status.success() => Outcome::Missed,
            Some(_) if output.contains("test result: FAILED") => Outcome::Caught,
            Some(_) => Outcome::Invalid(format!("no test failed, but: {}", last_line(&output))),
        })
    }

    fn does_not_build(&self, test: &str) -> anyhow::Result<Option<String>> {
        let (status, output) = self.cargo("--no-run", test, BUILD_PATIENCE)?;
        let error = output.lines().find(|line| line.starts_with("error"));
        let reason = || format!("it does not compile: {}", error.unwrap_or("cargo was cut"));
        Ok(status.is_none_or(|it| !it.success()).then(reason))
    }

    /// Runs `cargo test FLAG TEST`; no status when it took longer than `patience`.
    ///
    /// This package is always selected beside the one under test: its dependencies make cargo choose their features as for
    /// the whole workspace, so the build that was linked here fits. It has no library and no test of its own that the
    /// words of `test` select, so that nothing but the one test program is compiled anew.
    fn cargo(
        &self,
        flag: &str,
        test: &str,
        patience: Duration,
    ) -> anyhow::Result<(Option<ExitStatus>, String)> {
        fs::create_dir_all(&self.target)?;
        let log = self.target.join("last.log");
        let out = File::create(&log)?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let child = Command::new(cargo)
            .args(["test", "--locked", "--package", "podrole-mutants"])
            .args(flag.split_whitespace().chain(test.split_whitespace()))
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            // A linked test was compiled in the original, and would read its scripts.
            .env(project::ROOT, &self.root)
            .stderr(out.try_clone()?)
            .stdout(out)
            .process_group(0)
            .spawn()?;
        let status = wait(child, patience)?;
        Ok((status, read(&log)?))
    }
}

/// Waits for `child` and kills its whole group when `patience` ends.
fn wait(mut child: Child, patience: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            let group = format!("-{}", child.id());
            Command::new("kill").args(["-KILL", "--", &group]).status()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn read(log: &Path) -> anyhow::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(log)?).into_owned())
}

/// The tests that passed, by cargo's own lines.
fn passed(output: &str) -> u64 {
    let results = output.lines().filter(|line| line.starts_with("test result:"));
    results.filter_map(|line| line.split_once(". ")?.1.split(' ').next()?.parse::<u64>().ok()).sum()
}

fn last_line(output: &str) -> &str {
    output.trim_end().lines().last().unwrap_or("nothing was said")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_over_all_binaries() {
        let output =
            "test result: ok. 4 passed; 0 failed\nx\ntest result: ok. 38 passed; 0 failed\n";
        assert_eq!(passed(output), 42);
        assert_eq!(passed("running 0 tests\n"), 0);
    }

    #[test]
    fn what_hangs_is_cut_with_all_its_children() {
        let sleeps = "sleep 60 & wait";
        let child = Command::new("sh").args(["-c", sleeps]).process_group(0).spawn().unwrap();
        assert_eq!(wait(child, Duration::from_millis(50)).unwrap(), None);
    }
}
