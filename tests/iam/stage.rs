//! One sandbox with one user, and Python before it.

use std::{net::SocketAddr, path::Path, process::Command};

use anyhow::ensure;
use podrole_runtime::serve::{Limits, Server};
use podrole_sandbox::{Config, Issuer, Sandbox};
use podrole_tests::{project, python};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "the secret of the tests";
/// IAM takes no issuer with a port; the sandbox serves this one whatever its own address.
const ISSUER: &str = "https://oidc.example/id";

pub(crate) struct Stage {
    _runtime: Runtime,
    address: SocketAddr,
}

impl Stage {
    pub(crate) fn start(state: Option<&Path>) -> anyhow::Result<Self> {
        podrole_runtime::crypto::install();
        let user = json!({
            "arn": "arn:aws:iam::111122223333:user/admin",
            "keys": [{"id": KEY_ID, "secret": SECRET}],
            "policies": {"node": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "eks-auth:AssumeRoleForPodIdentity", "Resource": "*"},
            ]}},
        });
        let cluster = json!({
            "name": "shop",
            "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/shop",
            "issuer": ISSUER,
            "associations": [{"namespace": "shop", "serviceAccount": "app",
                "roleArn": "arn:aws:iam::111122223333:role/app"}],
        });
        let accounts = json!({"111122223333": {"users": {"admin": user}}});
        // JSON is YAML.
        let file = json!({"accounts": accounts, "clusters": [cluster]}).to_string();
        let sandbox = Sandbox::new(Config::read(&file)?).with_issuer(Issuer::generate(ISSUER)?);
        if let Some(state) = state {
            sandbox.keep_state(state).map_err(anyhow::Error::msg)?;
        }
        let runtime = Runtime::new()?;
        let bind = "127.0.0.1:0".parse()?;
        let server = runtime.block_on(Server::bind(bind, Limits::default()))?;
        let address = server.address();
        runtime.spawn(server.run(sandbox.router(), CancellationToken::new()));
        Ok(Self { _runtime: runtime, address })
    }

    /// Runs a program of `tests/iam`; it says what is wrong and fails.
    pub(crate) fn run(&self, program: &str) -> anyhow::Result<()> {
        let bin = python::bin()?;
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let output = Command::new(bin.join("python"))
            .arg(project::root().join("tests/iam").join(program))
            .env_clear()
            .env("PATH", path)
            .env("HOME", std::env::temp_dir())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_MAX_ATTEMPTS", "1")
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program}:\n{said}");
        Ok(())
    }
}
