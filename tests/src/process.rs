//! A process that ends when we do: on drop, and also when the test binary is killed.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::Context as _;
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// The file that keeps the folder of a guarded process when that has ended.
const KEEP: &str = "keep";

/// Starts the command, and kills it when standard input closes: that pipe's other end is ours, and
/// the kernel closes it whatever becomes of us. Then the folder goes, unless it has a file `keep`.
const GUARDIAN: &str = r#"
folder=$1 ended=$2; shift 2
exec 3<&0
"$@" 3<&- </dev/null & child=$!
(read -r _ <&3; kill -KILL "$child" 2>/dev/null) &
wait "$child"
: >"$ended"
read -r _ <&3
[ -e "$folder/keep" ] || rm -rf "$folder"
"#;

/// A process under a guardian.
#[derive(Debug)]
pub struct Process {
    guardian: Child,
    alive: Option<ChildStdin>,
    log: PathBuf,
    ended: PathBuf,
}

impl Process {
    /// Starts `command`; what it says goes to `<folder>/<name>.log`. The folder is removed when
    /// the process has ended, unless [`keep`] was called on it.
    ///
    /// # Errors
    /// If the log cannot be written or there is no `sh`.
    pub fn start(name: &str, folder: &Path, command: &Command) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let ended = folder.join(format!("{name}.ended"));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "guardian"])
            .args([folder, &ended])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::piped())
            .stderr(out.try_clone()?)
            .stdout(out)
            .process_group(0) // Ctrl-C is for us; the guardian hears of it by the pipe
            .spawn()
            .context("cannot start sh")?;
        Ok(Self { alive: guardian.stdin.take(), guardian, log, ended })
    }

    /// Whether it has ended of itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.exists()
    }

    /// The most memory that it has used so far, in bytes; `None` where the system does not say.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        let peaks = children(self.guardian.id()).ok()?.into_iter().filter_map(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            peak.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        });
        // The guardian's other child is a small shell.
        peaks.max().map(|kilobytes| kilobytes * 1024)
    }

    /// Sends it SIGTERM, as the kubelet does at a pod's end.
    ///
    /// # Errors
    /// If it is not found, or the signal cannot be sent.
    pub fn terminate(&self) -> anyhow::Result<()> {
        signal(self.pid()?, Signal::TERM)
    }

    /// Its number.
    ///
    /// # Errors
    /// If it has ended.
    pub fn pid(&self) -> anyhow::Result<u32> {
        // The guardian's other child is a shell.
        let program = children(self.guardian.id())?.into_iter().find(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.trim() != "sh")
        });
        program.context("the process has ended")
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.guardian.wait();
    }
}

/// The processes that a process has started from its main thread.
///
/// # Errors
/// If it has ended.
pub fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    children.split_whitespace().map(|pid| Ok(pid.parse()?)).collect()
}

/// Sends a signal to a process.
///
/// # Errors
/// If it has ended.
pub fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = Pid::from_raw(pid.try_into()?).context("no process")?;
    Ok(kill_process(pid, signal)?)
}

/// Keeps a folder of guarded processes beyond their end, so that a person can look for the error.
pub fn keep(folder: &Path) {
    // Best effort: this runs while a test is failing, and must not hide why.
    let _ = File::create(folder.join(KEEP));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> (PathBuf, Process) {
        let folder = tempfile::tempdir().unwrap().keep();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let process = Process::start("it", &folder, &command).unwrap();
        (folder, process)
    }

    fn until(what: impl Fn() -> bool) {
        for _ in 0..500 {
            if what() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("it did not come to pass within 5 s");
    }

    fn runs(pid: &str) -> bool {
        Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[test]
    fn a_dropped_process_is_gone_with_its_folder() {
        let (folder, process) = start("echo $$; exec sleep 60");
        until(|| process.log().ends_with('\n'));
        let pid = process.log().trim().to_owned();
        assert!(runs(&pid) && !process.has_ended());
        drop(process);
        assert!(!runs(&pid), "it still runs");
        assert!(!folder.exists(), "its folder is still there");
    }

    #[test]
    fn a_kept_folder_stays_with_the_log() {
        let (folder, process) = start("echo why; exit 1");
        until(|| process.has_ended());
        keep(&folder);
        assert_eq!(process.log(), "why\n");
        drop(process);
        assert!(folder.join("it.log").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
