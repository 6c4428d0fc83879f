//! The flags.

use std::convert::Infallible;

use anyhow::Context as _;
use axum::Router;
use clap::Args;

use super::{Upstream, UpstreamSign};
use crate::Sandbox;

const MIB: usize = 1024 * 1024;

/// The emulator that stands behind, and how calls are passed on to it.
#[derive(Args, Clone, Debug)]
pub struct UpstreamArgs {
    /// Passes every call that is not STS, IAM or EKS Auth on to this emulator (LocalStack, moto,
    /// MinIO), once its signature is verified
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,

    /// How calls are signed when they are passed on: as-it-came, or with a key that the emulator
    /// knows: KEY_ID:SECRET
    #[arg(
        long,
        value_name = "HOW",
        default_value = "as-it-came",
        env = "PODROLE_UPSTREAM_SIGN",
        hide_env_values = true,
        requires = "upstream",
        value_parser = sign
    )]
    pub upstream_sign: Result<UpstreamSign, &'static str>,

    /// MiB of a signed body: it is verified to its end before it is passed on
    #[arg(long, value_name = "MIB", default_value_t = 64, requires = "upstream")]
    pub upstream_body_limit: usize,
}

/// Never an error of the parser's: that one would repeat what was given, which may be a secret.
fn sign(text: &str) -> Result<Result<UpstreamSign, &'static str>, Infallible> {
    Ok(text.parse())
}

impl UpstreamArgs {
    /// The sandbox's routes, with the emulator behind them if there is one.
    ///
    /// # Errors
    /// When the flags say no emulator's root, or no way to sign.
    pub fn router(&self, sandbox: &Sandbox) -> anyhow::Result<Router> {
        let Some(url) = &self.upstream else {
            return Ok(sandbox.router());
        };
        let sign = self.upstream_sign.clone().map_err(anyhow::Error::msg);
        let upstream =
            Upstream::new(url, sign.context("--upstream-sign")?).context("--upstream")?;
        let limit = self.upstream_body_limit.saturating_mul(MIB);
        Ok(upstream.with_body_limit(limit).behind(sandbox))
    }

    /// What a person should know at the start.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let url = self.upstream.as_ref()?;
        Some(format!(
            "all but STS, IAM and EKS Auth goes on to {url}: only the signature is judged, not what the identity may do"
        ))
    }
}
