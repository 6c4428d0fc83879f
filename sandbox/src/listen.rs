//! The listeners: HTTP always, and HTTPS if a certificate is given.

use std::{net::SocketAddr, path::PathBuf};

use axum::Router;
use clap::Args;
use podrole_certs::{Expires, watch_files};
use podrole_runtime::serve::{Limits, Server};
use tokio_util::sync::CancellationToken;

/// Room for a token of 20 kB in the query.
const HEAD_BYTES: usize = 64 * 1024;

/// The flags for addresses and certificate.
#[derive(Args, Clone, Debug)]
pub struct ListenArgs {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS")]
    pub bind: SocketAddr,

    /// The address to serve the same over HTTPS on, for clients that only use STS's own host name
    #[arg(long, value_name = "ADDRESS", requires_all = ["tls_cert", "tls_key"])]
    pub tls_bind: Option<SocketAddr>,

    /// The certificate chain for HTTPS (PEM); a changed file is used without a restart
    #[arg(long, value_name = "FILE", requires = "tls_bind")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_bind")]
    pub tls_key: Option<PathBuf>,
}

/// Bound listeners that do not serve yet.
pub(crate) struct Listeners {
    plain: Server,
    tls: Option<Server>,
}

impl Listeners {
    /// Binds the addresses.
    ///
    /// # Errors
    /// If an address cannot be bound, or the certificate cannot be used.
    pub(crate) async fn bind(
        args: &ListenArgs,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let limits = Limits { head_bytes: HEAD_BYTES, ..Limits::default() };
        let plain = Server::bind(args.bind, limits).await?;
        let (Some(bind), Some(cert), Some(key)) = (args.tls_bind, &args.tls_cert, &args.tls_key)
        else {
            return Ok(Self { plain, tls: None });
        };
        let config = watch_files(cert, key, Expires::default(), shutdown.clone()).await?;
        let tls = Server::bind(bind, limits).await?.with_tls(config);
        Ok(Self { plain, tls: Some(tls) })
    }

    /// The line that the program prints at the start.
    pub(crate) fn notice(&self) -> String {
        let plain = self.plain.address();
        let tls = self.tls.as_ref().map(|tls| format!(" and https://{}", tls.address()));
        let tls = tls.unwrap_or_default();
        format!("podrole-sandbox on http://{plain}{tls}: this is not AWS, and it protects nothing")
    }

    /// Serves until `shutdown` is cancelled.
    pub(crate) async fn run(self, router: Router, shutdown: CancellationToken) {
        let Some(tls) = self.tls else {
            return self.plain.run(router, shutdown).await;
        };
        tokio::join!(self.plain.run(router.clone(), shutdown.clone()), tls.run(router, shutdown));
    }
}
