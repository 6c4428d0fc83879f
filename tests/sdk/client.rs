//! The SDKs, each as a small program that asks STS and prints one line of JSON a use.

use std::{fmt, path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use podrole_tests::project;
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Longer than any SDK tries.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command that asks for the caller's identity.
pub(crate) const CALLER: [&str; 1] = ["caller-identity"];

/// Variables of a container.
pub(crate) type Variables = Vec<(String, String)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    Python,
    JavaScript,
    Go,
    /// The first one, at its end of life.
    Go1,
    Java,
    Rust,
}

/// What a program says of one use.
#[derive(Debug, Deserialize)]
pub(crate) struct Use {
    pub(crate) arn: Option<String>,
    pub(crate) error: Option<Raised>,
    /// From the call to its end, as the program measured it.
    pub(crate) ms: u64,
}

/// An error as the application sees it.
#[derive(Debug, Deserialize)]
pub(crate) struct Raised {
    pub(crate) class: String,
    pub(crate) code: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
}

/// A program that waits for its next use.
pub(crate) struct Running {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sdk {
    const ALL: [Self; 6] =
        [Self::Python, Self::JavaScript, Self::Go, Self::Go1, Self::Java, Self::Rust];

    /// Those that `PODROLE_SDKS` names (words between blanks); all without it.
    pub(crate) fn wanted() -> Vec<Self> {
        let named = std::env::var("PODROLE_SDKS");
        let wanted = |sdk: &Self| match &named {
            Ok(named) => named.split_whitespace().any(|name| name == sdk.to_string()),
            Err(_) => true,
        };
        Self::ALL.into_iter().filter(wanted).collect()
    }

    /// Runs the program with `variables`, asks once, and ends it.
    pub(crate) async fn once(self, command: &[&str], pod: &Variables) -> anyhow::Result<Use> {
        self.start(command, pod)?.answer().await
    }

    /// Starts the program with `variables`; it asks at once.
    pub(crate) fn start(self, command: &[&str], pod: &Variables) -> anyhow::Result<Running> {
        let words = self.words()?;
        let (program, arguments) = words.split_first().context("tests/sdk/build said nothing")?;
        let mut process = Command::new(program);
        process.args(arguments).args(command).env_clear().kill_on_drop(true);
        // A launcher may be a script that looks for the real one.
        process.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        process.envs(pod.iter().cloned());
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().with_context(|| format!("{self}: {program}"))?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        Ok(Running { child, stdin, lines: BufReader::new(stdout).lines() })
    }

    fn words(self) -> anyhow::Result<Vec<String>> {
        if self == Self::Rust {
            return Ok(vec![env!("CARGO_BIN_EXE_whoami").to_owned()]);
        }
        let script = project::root().join("tests/sdk/build");
        let built = std::process::Command::new(script).arg(self.to_string()).output()?;
        let said = String::from_utf8_lossy(&built.stderr);
        anyhow::ensure!(built.status.success(), "tests/sdk/build {self}: {said}");
        Ok(String::from_utf8(built.stdout)?.lines().map(str::to_owned).collect())
    }
}

impl Running {
    /// The answer to the use that was begun.
    pub(crate) async fn answer(&mut self) -> anyhow::Result<Use> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let Some(line) = line.context("the program did not answer within 60 s")?? else {
            let mut said = String::new();
            if let Some(mut stderr) = self.child.stderr.take() {
                stderr.read_to_string(&mut said).await?;
            }
            anyhow::bail!("the program ended: {said}");
        };
        serde_json::from_str(&line).with_context(|| line.clone())
    }

    /// One more use by the same client.
    pub(crate) async fn again(&mut self) -> anyhow::Result<Use> {
        self.ask(&[]).await
    }

    /// Another question by the same client; without words the same.
    pub(crate) async fn ask(&mut self, command: &[&str]) -> anyhow::Result<Use> {
        let line = command.join("\t") + "\n";
        self.stdin.write_all(line.as_bytes()).await?;
        self.answer().await
    }
}

/// A home without any AWS configuration, and with no service at the metadata address.
pub(crate) fn bare(home: &Path) -> Variables {
    let pairs =
        [("HOME", home.display().to_string()), ("AWS_EC2_METADATA_DISABLED", "true".into())];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

impl fmt::Display for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Go => "go",
            Self::Go1 => "go1",
            Self::Java => "java",
            Self::Rust => "rust",
        })
    }
}
