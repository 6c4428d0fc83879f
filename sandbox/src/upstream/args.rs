//! The flags for an upstream emulator.

use std::convert::Infallible;

use anyhow::Context as _;
use axum::Router;
use clap::Args;

use super::{Upstream, UpstreamSign, error::UpstreamSignError};
use crate::Sandbox;

const MIB: usize = 1024 * 1024;

/// The upstream emulator, and how calls are passed on to it.
#[derive(Args, Clone, Debug)]
pub struct UpstreamArgs {
    /// The emulator (LocalStack, moto, MinIO) that calls to other services than STS, IAM and EKS Auth are
    /// passed on to, after their signature is verified
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,

    /// How to sign calls for the emulator: as-it-came keeps the client's signature, KEY_ID:SECRET signs again
    /// with a key that the emulator knows
    #[arg(
        long,
        value_name = "HOW",
        default_value = "as-it-came",
        env = "PODROLE_UPSTREAM_SIGN",
        hide_env_values = true,
        requires = "upstream",
        value_parser = sign
    )]
    pub upstream_sign: Result<UpstreamSign, UpstreamSignError>,

    /// The maximum size of a signed body in MiB; it is read to its end and verified before it is passed on
    #[arg(long, value_name = "MIB", default_value_t = 64, requires = "upstream")]
    pub upstream_body_limit: usize,
}

/// Never fails, because clap's error would repeat the value, which may be a secret.
fn sign(text: &str) -> Result<Result<UpstreamSign, UpstreamSignError>, Infallible> {
    Ok(text.parse())
}

impl UpstreamArgs {
    /// The sandbox's routes, with the emulator behind them if there is one.
    ///
    /// # Errors
    /// If the URL or the way to sign is not valid.
    pub fn router(&self, sandbox: &Sandbox) -> anyhow::Result<Router> {
        let Some(url) = &self.upstream else {
            return Ok(sandbox.router());
        };
        let sign = self.upstream_sign.clone();
        let upstream =
            Upstream::new(url, sign.context("--upstream-sign")?).context("--upstream")?;
        let limit = self.upstream_body_limit.saturating_mul(MIB);
        Ok(upstream.with_body_limit(limit).behind(sandbox))
    }

    /// The line that the program prints at the start, if there is an emulator.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let url = self.upstream.as_ref()?;
        Some(format!(
            "passing calls to other services on to {url}: signatures are verified, permissions are not"
        ))
    }
}
