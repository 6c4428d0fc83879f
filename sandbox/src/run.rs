//! The program behind `podrole-sandbox` and `podrole sandbox`: its flags and its start.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use axum::middleware::from_fn_with_state;
use clap::Args;
use podrole_identity::AccountId;
use podrole_runtime::{
    config::PrintConfigArgs,
    logging::{self, LogArgs},
    shutdown,
};

use crate::{
    BrowserGuard, Config, Issuer, ListenArgs, Rule, Sandbox, SessionKey, UpstreamArgs, auto_roles,
    browser_guard,
    cluster_state::{Binding, ClusterState},
    discovery::is_fetchable,
    in_cluster::{self, InCluster},
    listen::Listeners,
    read_life,
    reload::ConfigFollower,
};

/// The configuration without a file.
const EMPTY_CONFIG: &str = "{}";

/// A small AWS STS and IAM that checks signatures, tokens and policies, for laptops, kind clusters and CI
#[derive(Args, Clone, Debug)]
pub struct SandboxArgs {
    /// The file with accounts, OIDC providers and roles (YAML); optional with --auto-roles
    #[arg(long, value_name = "FILE", required_unless_present = "auto_roles")]
    pub config: Option<PathBuf>,

    /// The flags for addresses
    #[command(flatten)]
    pub listen: ListenArgs,

    /// A host name, with all below it, by which clients or web pages may call the sandbox; local names and addresses always
    /// may. May be repeated
    #[arg(long, value_name = "NAME")]
    pub allowed_host: Vec<String>,

    /// Serves an OIDC issuer with this URL; a provider with that URL does not need `jwks` in the file
    #[arg(long, value_name = "URL")]
    pub issuer_url: Option<String>,

    /// Accepts the tokens of the cluster that the sandbox runs in as a pod; issuer and keys come from the
    /// API server
    #[arg(long)]
    pub in_cluster: bool,

    /// The folder with the pod's token and the cluster's CA certificate
    #[arg(long, value_name = "FOLDER", default_value = in_cluster::FOLDER, hide_default_value = true)]
    pub service_account: PathBuf,

    /// A fault to inject from the start, as JSON or as in
    /// `operation=GetCallerIdentity,code=Throttling,first=2`; may be repeated
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<Rule>,

    /// Creates an unknown role for the first ServiceAccount that asks for it, with the trust policy of an
    /// IRSA guide, and the OIDC provider of --issuer-url or --in-cluster if needed; only in the accounts of
    /// --config and --account
    #[arg(long)]
    pub auto_roles: bool,

    /// The id of an AWS account of this sandbox, in addition to those of --config; may be repeated
    #[arg(long, value_name = "ID")]
    pub account: Vec<AccountId>,

    /// The file with the key that session credentials are derived from (32 bytes or more, base64), so that they
    /// are valid after a restart; made if it is missing. Default: a random key
    #[arg(long, value_name = "FILE", conflicts_with = "cluster_state")]
    pub session_key: Option<PathBuf>,

    /// Keeps the session key in the Secret of this name, and the roles of --auto-roles in the ConfigMap of this
    /// name, both in the pod's namespace; made if they are missing
    #[arg(long, value_name = "NAME", requires = "in_cluster")]
    pub cluster_state: Option<String>,

    /// The file to save the changes of the IAM API in; they are applied at the next start
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// The maximum life of issued credentials (30s, 5m); checks stay the same
    #[arg(long, value_name = "DURATION", value_parser = read_life)]
    pub credential_life: Option<Duration>,

    /// The flags for an upstream emulator
    #[command(flatten)]
    pub upstream: UpstreamArgs,

    /// The flags for logs
    #[command(flatten)]
    pub log: LogArgs,

    /// The flag `--print-config`, which the program handles before it calls [`run`]
    #[command(flatten)]
    pub print: PrintConfigArgs,
}

/// Runs a sandbox until the process gets a signal to stop.
///
/// # Errors
/// If it cannot start. The text is one line that says how to fix it.
pub async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    podrole_runtime::crypto::install();
    logging::init(&args.log).map_err(anyhow::Error::msg)?;
    let text = read(&args)?;
    let shutdown = shutdown::on_signal().context("signals")?;
    let cluster = cluster(&args).await?;
    let kept = match (&args.cluster_state, &cluster) {
        (Some(name), Some(cluster)) => Some(Kept::read(name, cluster).await?),
        _ => None,
    };
    let sandbox = sandbox(&args, &text, cluster, kept)?;
    let guard = BrowserGuard::allowing(&args.allowed_host);
    let router = args.upstream.router(&sandbox)?;
    let router = router.layer(from_fn_with_state(guard, browser_guard::layer));
    let listeners = Listeners::bind(&args.listen, &shutdown).await?;
    println!("{}", listeners.notice());
    if let Some(notice) = args.upstream.notice() {
        println!("{notice}");
    }
    let following = args
        .config
        .map(|file| tokio::spawn(ConfigFollower::new(file, text, args.account).run(sandbox)));
    listeners.run(router, shutdown).await;
    following.inspect(tokio::task::JoinHandle::abort);
    Ok(())
}

async fn cluster(args: &SandboxArgs) -> anyhow::Result<Option<InCluster>> {
    if !args.in_cluster {
        return Ok(None);
    }
    let cluster = InCluster::connect(&args.service_account).await.context("--in-cluster")?;
    tracing::info!(issuer = cluster.issuer(), "accepting tokens of the cluster");
    Ok(Some(cluster))
}

/// What `--cluster-state` keeps.
struct Kept {
    state: ClusterState,
    session_key: SessionKey,
    bindings: Vec<Binding>,
}

impl Kept {
    async fn read(name: &str, cluster: &InCluster) -> anyhow::Result<Self> {
        let state = ClusterState::new(cluster.api_server().clone(), name);
        let state = state.context("--cluster-state")?;
        let session_key = in_cluster::retry("read the session key", || state.session_key());
        let session_key = session_key.await.context("--cluster-state")?;
        let bindings = in_cluster::retry("read the saved roles", || state.bindings());
        let bindings = bindings.await.context("--cluster-state")?;
        Ok(Self { state, session_key, bindings })
    }
}

fn sandbox(
    args: &SandboxArgs,
    text: &str,
    cluster: Option<InCluster>,
    kept: Option<Kept>,
) -> anyhow::Result<Sandbox> {
    let mut sandbox = Sandbox::new(config(args, text, cluster.as_ref())?);
    if let Some(cluster) = cluster {
        sandbox = sandbox.with_cluster(cluster);
    }
    if let Some(url) = &args.issuer_url {
        sandbox = sandbox.with_issuer(Issuer::start(url).context("--issuer-url")?);
    }
    if let Some(file) = &args.session_key {
        let key = SessionKey::from_file(file);
        let key = key.with_context(|| format!("--session-key {}", file.display()))?;
        sandbox = sandbox.with_session_key(key);
    }
    let mut saved = Vec::new();
    if let Some(kept) = kept {
        sandbox = sandbox.with_session_key(kept.session_key).with_cluster_state(kept.state);
        saved = kept.bindings;
    }
    if let Some(file) = &args.state {
        let keep = sandbox.keep_state(file);
        let file = file.display();
        keep.with_context(|| {
            format!("--state {file}: fix the file, or move it away to start without saved changes")
        })?;
    }
    if args.auto_roles {
        sandbox.enable_auto_roles();
        auto_roles::recall(&sandbox, &saved, podrole_runtime::clock::now());
    }
    for rule in &args.fault {
        sandbox.faults().add(rule.clone(), podrole_runtime::clock::now()).context("--fault")?;
    }
    Ok(sandbox)
}

/// The text of the configuration file, or an empty configuration.
fn read(args: &SandboxArgs) -> anyhow::Result<String> {
    let Some(file) = &args.config else {
        return Ok(EMPTY_CONFIG.to_owned());
    };
    std::fs::read_to_string(file).with_context(|| {
        format!("could not read {}; set --config to the configuration file", file.display())
    })
}

/// The configuration from file and flags.
fn config(args: &SandboxArgs, text: &str, cluster: Option<&InCluster>) -> anyhow::Result<Config> {
    let file = args.config.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
    let config = Config::read(text).with_context(|| file.clone())?;
    let config = args.account.iter().fold(config, Config::with_account);
    if args.auto_roles && !config.accounts.has_accounts() {
        bail!(
            "--auto-roles creates roles only in accounts that are configured, and there is none; add \
             --account 111122223333, or an account in --config"
        );
    }
    let keyless = config.keyless_providers(args.issuer_url.as_deref()).into_iter();
    for url in keyless.filter(|url| cluster.is_none_or(|cluster| cluster.issuer() != *url)) {
        if !is_fetchable(url) {
            bail!(
                "{file}: the provider {url} has no `jwks`, and keys are only fetched over https; \
                 add `jwks`, or serve the issuer here with --issuer-url {url}"
            );
        }
        if is_here(url, args.listen.bind) {
            bail!(
                "{file}: the provider {url} is this sandbox's own address; serve it with --issuer-url {url}"
            );
        }
    }
    Ok(match args.credential_life {
        Some(life) => config.with_credential_life(life),
        None => config,
    })
}

/// Whether the URL is the address that we listen on: the sandbox must not fetch keys from itself.
fn is_here(url: &str, bind: SocketAddr) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    let authority = uri.as_ref().and_then(http::Uri::authority);
    authority.is_some_and(|authority| authority.as_str() == bind.to_string())
}
