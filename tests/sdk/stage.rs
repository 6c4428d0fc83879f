//! One AWS account, one agent, and pods, all on loopback and in this process.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use podrole_identity::{CREDENTIALS_PATH, variable};
use podrole_runtime::{
    clock::now,
    serve::{Limits, Server},
};
use podrole_sandbox::{Config, Issuer, PodRef, Sandbox, TokenRequest};
use podrole_tests::trust;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    agent,
    client::{Variables, bare},
    gate::{Gate, Watch},
};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";
/// The ServiceAccount that the role trusts.
pub(crate) const APP: &str = "shop/app";
/// One that names the same role, and that no trust policy names.
pub(crate) const STRANGER: &str = "shop/stranger";
/// One that names a role that is not there.
pub(crate) const LOST: &str = "shop/lost";
/// What a pod says that its session is called; the programs have a name of their own.
const SESSION: &str = "the-session";

/// The gates are before the sandbox's AssumeRoleWithWebIdentity and before the agent.
pub(crate) struct Stage {
    pub(crate) sts: Gate,
    pub(crate) agent: Gate,
    pub(crate) issuer: Issuer,
    pub(crate) sts_address: SocketAddr,
    pub(crate) agent_address: SocketAddr,
    /// The agent is on `[::1]` too.
    pub(crate) has_ipv6: bool,
    /// What the agent answers with, for one that takes its place.
    pub(crate) agent_routes: axum::Router,
    pub(crate) agent_runs: Mutex<Running>,
    folder: TempDir,
    files: AtomicUsize,
    _shutdown: DropGuard,
}

/// How a stage differs from others.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// How long sessions last.
    pub(crate) life: Duration,
    /// Where the agent is.
    pub(crate) agent: IpAddr,
}

/// The agent's socket once more, and its end.
pub(crate) struct Running {
    pub(crate) socket: Option<std::net::TcpListener>,
    pub(crate) _end: DropGuard,
}

impl Default for Plan {
    fn default() -> Self {
        Self { life: Duration::from_secs(3600), agent: [127, 0, 0, 1].into() }
    }
}

/// How a pod comes to its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The application calls AssumeRoleWithWebIdentity itself.
    Call,
    /// The SDK's own web-identity provider.
    WebIdentity,
    /// The SDK's own container provider, and our agent.
    Container,
}

/// A pod as its container sees it.
pub(crate) struct Pod {
    pub(crate) variables: Variables,
    pub(crate) token_file: PathBuf,
}

impl Stage {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::of(Plan::default()).await
    }

    pub(crate) async fn of(plan: Plan) -> anyhow::Result<Self> {
        podrole_runtime::crypto::install();
        let shutdown = CancellationToken::new();
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Limits::default()).await?;
        let sts_address = server.address();
        let issuer = Issuer::generate(&format!("http://{sts_address}/id/shop"))?;
        let sts = Gate::new(Watch::Action("AssumeRoleWithWebIdentity"));
        let sandbox = sandbox(&issuer, plan.life)?;
        tokio::spawn(server.run(sts.before(sandbox.router()), shutdown.clone()));

        // The daemon's own limit; both loopbacks where there are two.
        let server = Server::bind(SocketAddr::new(plan.agent, 0), limits()).await?;
        let agent_address = server.address();
        let accounts = [(APP, role()), (STRANGER, role()), (LOST, lost_role())];
        let routes = agent::routes(issuer.url(), sts_address, agent_address, &accounts).await?;
        let agent = Gate::new(Watch::Path(CREDENTIALS_PATH));
        let routes = agent.before(routes);
        let v6 = SocketAddr::new("::1".parse()?, agent_address.port());
        let v6 = Server::bind(v6, limits()).await.ok();
        let has_ipv6 = v6.is_some();
        if let Some(server) = v6 {
            tokio::spawn(server.run(routes.clone(), shutdown.clone()));
        }
        let end = CancellationToken::new();
        let agent_runs = Running { socket: Some(server.share()?), _end: end.clone().drop_guard() };
        tokio::spawn(server.run(routes.clone(), end));
        let (folder, files) = (tempfile::tempdir()?, AtomicUsize::new(0));
        let _shutdown = shutdown.drop_guard();
        Ok(Self {
            sts,
            agent,
            issuer,
            sts_address,
            agent_address,
            has_ipv6,
            agent_routes: routes,
            agent_runs: Mutex::new(agent_runs),
            folder,
            files,
            _shutdown,
        })
    }

    /// A good token of a ServiceAccount's pod.
    pub(crate) fn token(&self, account: &str) -> anyhow::Result<String> {
        mint(&self.issuer, account, "sts.amazonaws.com", now())
    }

    /// A kubelet's token of a day, made by a clock that is so many seconds ahead.
    pub(crate) fn token_of_another_clock(&self, ahead: i64) -> anyhow::Result<String> {
        let at = now() + SignedDuration::from_secs(ahead);
        mint_for(&self.issuer, APP, "sts.amazonaws.com", at, 86_400)
    }

    /// Where a pod asks the agent.
    pub(crate) fn uri(&self) -> String {
        format!("http://{}{CREDENTIALS_PATH}", self.agent_address)
    }

    /// A token that ended an hour ago.
    pub(crate) fn expired(&self) -> anyhow::Result<String> {
        mint(&self.issuer, APP, "sts.amazonaws.com", now() - SignedDuration::from_hours(2))
    }

    /// A pod with this token, with the variables of its way and nothing else of AWS's.
    pub(crate) fn pod(&self, way: Way, token: &str) -> anyhow::Result<Pod> {
        let number = self.files.fetch_add(1, Relaxed);
        let token_file = self.folder.path().join(format!("token-{number}"));
        std::fs::write(&token_file, token)?;
        let mut variables = bare(self.folder.path());
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        set(variable::REGION, REGION.to_owned());
        set(variable::DEFAULT_REGION, REGION.to_owned());
        set(variable::STS_REGIONAL_ENDPOINTS, "regional".to_owned());
        set("AWS_ENDPOINT_URL_STS", format!("http://{}", self.sts_address));
        match way {
            // Some SDKs look for credentials though this call needs none.
            Way::Call => {}
            Way::WebIdentity => {
                set(variable::ROLE_ARN, role());
                set("AWS_ROLE_SESSION_NAME", SESSION.to_owned());
                set(variable::WEB_IDENTITY_TOKEN_FILE, token_file.display().to_string());
            }
            Way::Container => {
                set(variable::CONTAINER_FULL_URI, self.uri());
                set(variable::CONTAINER_TOKEN_FILE, token_file.display().to_string());
            }
        }
        Ok(Pod { variables, token_file })
    }
}

impl Way {
    /// The ARN of a pod of [`APP`].
    pub(crate) fn arn(self) -> String {
        let session = match self {
            Self::Call => "whoami",
            Self::WebIdentity => SESSION,
            Self::Container => "shop.app",
        };
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/shop-app/{session}")
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "call",
            Self::WebIdentity => "web identity",
            Self::Container => "container",
        })
    }
}

impl Pod {
    /// Sets a variable, whether it was set or not.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }
}

/// A daemon's own limits.
pub(crate) fn limits() -> Limits {
    Limits { head_bytes: 24 * 1024, ..Limits::default() }
}

/// The role that trusts [`APP`]; its session's ARN has no path.
pub(crate) fn role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/team/shop-app")
}

/// A role that trusts [`role`].
pub(crate) fn next_role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/shop-deploy")
}

/// A role that is not there.
pub(crate) fn lost_role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/none")
}

/// A token as the kubelet would have it from `issuer`.
pub(crate) fn mint(
    issuer: &Issuer,
    account: &str,
    audience: &str,
    at: Timestamp,
) -> anyhow::Result<String> {
    mint_for(issuer, account, audience, at, 3600)
}

fn mint_for(
    issuer: &Issuer,
    account: &str,
    audience: &str,
    at: Timestamp,
    seconds: u32,
) -> anyhow::Result<String> {
    let request = TokenRequest {
        service_account: account.parse()?,
        service_account_uid: uid(account),
        audiences: vec![audience.parse()?],
        expiration_seconds: seconds,
        pod: Some(PodRef { name: "app-1".to_owned(), uid: "pod-uid".to_owned() }),
        node: None,
    };
    Ok(issuer.mint(&request, at)?)
}

/// A ServiceAccount's UID.
pub(crate) fn uid(account: &str) -> String {
    format!("uid-of-{account}")
}

fn sandbox(issuer: &Issuer, life: Duration) -> anyhow::Result<Sandbox> {
    let trust = trust::web_identity(issuer.url(), ACCOUNT, "system:serviceaccount:shop:app");
    let next = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": role()},
            "Action": "sts:AssumeRole",
        }],
    });
    let config = json!({"accounts": {ACCOUNT: {
        "oidcProviders": [{"url": issuer.url(), "clientIds": ["sts.amazonaws.com"]}],
        "roles": {
            "shop-app": {"arn": role(), "trustPolicy": trust},
            "shop-deploy": {"arn": next_role(), "trustPolicy": next},
        },
    }}});
    // JSON is YAML.
    let config = Config::read(&config.to_string())?.with_credential_life(life);
    Ok(Sandbox::new(config).with_issuer(issuer.clone()))
}
