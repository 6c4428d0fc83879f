//! `podrole-node setup`.

use std::net::IpAddr;

use anyhow::Context as _;
use podrole_runtime::shutdown;

/// Keeps the addresses on the node until SIGTERM or SIGINT, or assigns them once.
///
/// # Errors
/// If they cannot be assigned.
pub async fn setup(addresses: &[IpAddr], once: bool) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal().context("signals")?;
    #[cfg(target_os = "linux")]
    return Ok(crate::link::keep(addresses, once, shutdown).await?);
    #[cfg(not(target_os = "linux"))]
    anyhow::bail!("setup is for Linux nodes: {addresses:?} {once} {shutdown:?}")
}
