//! `podrole-sandbox`: the sandbox as a program.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use clap::Parser;
use podrole_runtime::{
    logging::{self, LogArgs},
    serve::{Limits, Server},
    shutdown,
};
use podrole_sandbox::{Config, Issuer, Sandbox, read_life};

/// A small AWS identity that checks, for laptops, kind clusters and CI
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The file with accounts, OIDC providers and roles (YAML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS")]
    bind: SocketAddr,

    /// Serves an OIDC issuer with this URL; a provider of that URL needs no `jwks` in the file
    #[arg(long, value_name = "URL")]
    issuer_url: Option<String>,

    /// Shortens the life of issued credentials (30s, 5m), and no check
    #[arg(long, value_name = "DURATION", value_parser = read_life)]
    credential_life: Option<Duration>,

    #[command(flatten)]
    log: LogArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(fault) = run(args).await {
        eprintln!("podrole-sandbox: {fault:#}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

async fn run(args: Args) -> anyhow::Result<()> {
    podrole_runtime::crypto::install();
    logging::init(&args.log).map_err(anyhow::Error::msg)?;
    let sandbox = sandbox(&args)?;
    let limits = Limits {
        // A token of 20 kB may come in the query.
        head_bytes: 64 * 1024,
        ..Limits::default()
    };
    let server = Server::bind(args.bind, limits).await?;
    println!(
        "podrole-sandbox on http://{}: this is not AWS, and it guards nothing",
        server.address()
    );
    let shutdown = shutdown::on_signal().context("signals")?;
    server.run(sandbox.router(), shutdown).await;
    Ok(())
}

fn sandbox(args: &Args) -> anyhow::Result<Sandbox> {
    let file = args.config.display();
    let text = std::fs::read_to_string(&args.config)
        .with_context(|| format!("{file} cannot be read; name the sandbox's file with --config"))?;
    let mut config = Config::read(&text).with_context(|| file.to_string())?;
    if let Some(url) = config.keyless_providers(args.issuer_url.as_deref()).first() {
        bail!(
            "{file}: the provider {url} has no `jwks`; add them, or serve it here with --issuer-url {url}"
        );
    }
    if let Some(life) = args.credential_life {
        config = config.with_credential_life(life);
    }
    let sandbox = Sandbox::new(config);
    match &args.issuer_url {
        Some(url) => Ok(sandbox.with_issuer(Issuer::generate(url).context("--issuer-url")?)),
        None => Ok(sandbox),
    }
}
