//! One moto and one sandbox in front of it, for all tests.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use podrole_identity::Audience;
use podrole_runtime::{
    clock,
    serve::{Limits, Server},
};
use podrole_sandbox::{
    Config, Issuer, Provider, Role, Sandbox, TokenRequest, Upstream, UpstreamSign, policy::Policy,
};
use podrole_tests::{process::Process, project, python, trust};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const ACCOUNT: &str = "111122223333";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";
/// How often it is looked whether moto has started: for 30 s.
const LOOKS: u32 = 1500;
const LOOK: Duration = Duration::from_millis(20);

/// All of them, running. What moto's folder holds goes when moto does.
pub(crate) struct Stage {
    runtime: Runtime,
    sandbox: Sandbox,
    moto: Moto,
    token: PathBuf,
    /// The sandbox in front of moto.
    front: String,
    /// One whose credentials live for a second.
    brief: String,
    /// One with nothing behind it.
    lonely: String,
}

/// A moto of its own.
pub(crate) struct Moto {
    _process: Process,
    folder: PathBuf,
    pub(crate) url: String,
}

/// What they are, started once.
pub(crate) fn stage() -> anyhow::Result<&'static Stage> {
    static STAGE: OnceLock<Result<Stage, String>> = OnceLock::new();
    let stage = STAGE.get_or_init(|| Stage::start().map_err(|error| format!("{error:#}")));
    stage.as_ref().map_err(|error| anyhow::anyhow!(error.clone()))
}

impl Stage {
    fn start() -> anyhow::Result<Self> {
        podrole_runtime::crypto::install();
        let moto = Moto::start()?;
        let issuer = Issuer::generate("https://oidc.example.org/id/A")?;
        let token = moto.folder.join("token");
        std::fs::write(&token, issuer.mint(&request()?, clock::now())?)?;
        let runtime = Runtime::new()?;
        let ours = sandbox(&issuer, Config::default())?;
        let second = Config::default().with_credential_life(Duration::from_secs(1));
        let brief = sandbox(&issuer, second)?;
        let front = |sandbox, url| runtime.block_on(serve(sandbox, url, UpstreamSign::AsItCame));
        Ok(Self {
            front: front(&ours, &moto.url)?,
            brief: front(&brief, &moto.url)?,
            // Port 9 is "discard", and nothing listens on it.
            lonely: front(&ours, "http://127.0.0.1:9")?,
            sandbox: ours,
            runtime,
            moto,
            token,
        })
    }

    /// What runs the servers of this process.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The URL of the sandbox in front of moto.
    pub(crate) fn front(&self) -> &str {
        &self.front
    }

    /// The URL of moto.
    pub(crate) fn moto_url(&self) -> &str {
        &self.moto.url
    }

    /// The file with the token of the ServiceAccount shop/app.
    pub(crate) fn token(&self) -> &Path {
        &self.token
    }

    /// Puts the same sandbox in front of another emulator; its URL.
    pub(crate) fn before(&self, moto: &Moto, sign: UpstreamSign) -> anyhow::Result<String> {
        self.runtime.block_on(serve(&self.sandbox, &moto.url, sign))
    }

    /// Runs a program of this folder as a pod of the ServiceAccount shop/app would; the JSON object
    /// that it prints.
    pub(crate) fn run(&self, program: &str, more: &[(&str, &str)]) -> anyhow::Result<Value> {
        let mut command = Command::new(python::bin()?.join("python"));
        command.arg(project::root().join("tests/local").join(program));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ENDPOINT_URL", &self.front)
            .env("AWS_ROLE_ARN", ROLE)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &self.token)
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("BRIEF", &self.brief)
            .env("LONELY", &self.lonely)
            .env("MOTO", &self.moto.url)
            .envs(more.iter().copied());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program}: {said}");
        serde_json::from_slice(&output.stdout).with_context(|| format!("{program} printed no JSON"))
    }
}

impl Moto {
    /// Starts one on a free port.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut program = Command::new(python::bin()?.join("moto_server"));
        program.args(["-H", "127.0.0.1", "-p", "0"]);
        let folder = tempfile::tempdir()?.keep();
        let process = Process::start("moto", &folder, &program)?;
        for _ in 0..LOOKS {
            let log = process.log();
            // It says itself which port it got.
            if let Some((_, url)) = log.lines().find_map(|line| line.split_once("Running on ")) {
                return Ok(Self { _process: process, folder, url: url.trim().to_owned() });
            }
            if process.has_ended() {
                break;
            }
            thread::sleep(LOOK);
        }
        bail!("moto did not start: {}", process.log());
    }
}

/// A sandbox with one role that trusts the ServiceAccount shop/app.
fn sandbox(issuer: &Issuer, config: Config) -> anyhow::Result<Sandbox> {
    let sandbox = Sandbox::new(config).with_issuer(issuer.clone());
    let provider = Provider::new(issuer.url(), vec![Audience::sts()]);
    sandbox.register_provider(&ACCOUNT.parse()?, provider);
    let trust = trust::web_identity(issuer.url(), ACCOUNT, "system:serviceaccount:shop:app");
    sandbox.put_role(Role::new(ROLE.parse()?, Policy::read(&trust.to_string())?))?;
    Ok(sandbox)
}

/// Serves a sandbox in front of an emulator, for as long as the runtime lives; its URL.
async fn serve(sandbox: &Sandbox, upstream: &str, sign: UpstreamSign) -> anyhow::Result<String> {
    let server = Server::bind("127.0.0.1:0".parse()?, Limits::default()).await?;
    let url = format!("http://{}", server.address());
    let upstream = Upstream::new(upstream, sign)?;
    tokio::spawn(server.run(upstream.behind(sandbox), CancellationToken::new()));
    Ok(url)
}

fn request() -> anyhow::Result<TokenRequest> {
    Ok(TokenRequest {
        service_account: "shop/app".parse().map_err(|_| anyhow::anyhow!("no ServiceAccount"))?,
        service_account_uid: "sa-uid".to_owned(),
        audiences: vec![Audience::sts()],
        expiration_seconds: 3600,
        pod: None,
        node: None,
    })
}
