//! The sandbox as a program: its flags, its start, its end. `podrole-sandbox` and `podrole sandbox`
//! are both this.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use clap::Args;
use podrole_runtime::{
    logging::{self, LogArgs},
    serve::{Limits, Server},
    shutdown,
};

use crate::{
    Config, Issuer, Rule, Sandbox, UpstreamArgs, discovery::is_fetchable, read_life,
    reload::Followed,
};

/// A token of 20 kB may come in the query.
const HEAD_BYTES: usize = 64 * 1024;

/// A small AWS identity that checks, for laptops, kind clusters and CI
#[derive(Args, Clone, Debug)]
pub struct SandboxArgs {
    /// The file with accounts, OIDC providers and roles (YAML)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS")]
    pub bind: SocketAddr,

    /// Serves an OIDC issuer with this URL; a provider of that URL needs no `jwks` in the file
    #[arg(long, value_name = "URL")]
    pub issuer_url: Option<String>,

    /// Something that goes wrong from the start, as JSON or as in
    /// `operation=GetCallerIdentity,code=Throttling,first=2`; may be given again
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<Rule>,

    /// An unknown role comes into being for the first ServiceAccount that asks, as an IRSA guide
    /// would write it
    #[arg(long)]
    pub auto_roles: bool,

    /// Keeps in this file what the IAM API changes, and takes it over at the next start
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// Shortens the life of issued credentials (30s, 5m), and no check
    #[arg(long, value_name = "DURATION", value_parser = read_life)]
    pub credential_life: Option<Duration>,

    /// The flags for an emulator behind
    #[command(flatten)]
    pub upstream: UpstreamArgs,

    /// The flags for logs
    #[command(flatten)]
    pub log: LogArgs,
}

/// Runs a sandbox until it is asked to stop.
///
/// # Errors
/// When it cannot start; the text is one line with the mend.
pub async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    podrole_runtime::crypto::install();
    logging::init(&args.log).map_err(anyhow::Error::msg)?;
    let text = read(&args)?;
    let sandbox = sandbox(&args, &text)?;
    let router = args.upstream.router(&sandbox)?;
    let limits = Limits { head_bytes: HEAD_BYTES, ..Limits::default() };
    let server = Server::bind(args.bind, limits).await?;
    println!(
        "podrole-sandbox on http://{}: this is not AWS, and it guards nothing",
        server.address()
    );
    if let Some(notice) = args.upstream.notice() {
        println!("{notice}");
    }
    let shutdown = shutdown::on_signal().context("signals")?;
    let following = tokio::spawn(Followed::new(args.config, text).run(sandbox));
    server.run(router, shutdown).await;
    following.abort();
    Ok(())
}

fn sandbox(args: &SandboxArgs, text: &str) -> anyhow::Result<Sandbox> {
    let mut sandbox = Sandbox::new(config(args, text)?);
    if let Some(url) = &args.issuer_url {
        sandbox = sandbox.with_issuer(Issuer::begin(url).context("--issuer-url")?);
    }
    if let Some(file) = &args.state {
        let keep = sandbox.keep_state(file).map_err(anyhow::Error::msg);
        let file = file.display();
        keep.with_context(|| format!("--state {file}: move it away to begin anew"))?;
    }
    if args.auto_roles {
        sandbox.make_roles();
    }
    for rule in &args.fault {
        sandbox.faults().add(rule.clone(), podrole_runtime::clock::now()).context("--fault")?;
    }
    Ok(sandbox)
}

fn read(args: &SandboxArgs) -> anyhow::Result<String> {
    let file = args.config.display();
    std::fs::read_to_string(&args.config)
        .with_context(|| format!("{file} cannot be read; name the sandbox's file with --config"))
}

/// The file, with what the flags say on top.
fn config(args: &SandboxArgs, text: &str) -> anyhow::Result<Config> {
    let file = args.config.display();
    let config = Config::read(text).with_context(|| file.to_string())?;
    for url in config.keyless_providers(args.issuer_url.as_deref()) {
        if !is_fetchable(url) {
            bail!(
                "{file}: the provider {url} has no `jwks`, and keys are fetched over https only; \
                 add them, or serve it here with --issuer-url {url}"
            );
        }
        if is_here(url, args.bind) {
            bail!("{file}: the provider {url} is this sandbox; serve it with --issuer-url {url}");
        }
    }
    Ok(match args.credential_life {
        Some(life) => config.with_credential_life(life),
        None => config,
    })
}

/// Whether a URL means the address that we listen on: keys are not to be asked of ourselves.
fn is_here(url: &str, bind: SocketAddr) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    let authority = uri.as_ref().and_then(http::Uri::authority);
    authority.is_some_and(|authority| authority.as_str() == bind.to_string())
}
