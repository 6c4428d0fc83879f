//! Where the sandbox listens: always over HTTP, and over HTTPS too where a certificate is given.

use std::{net::SocketAddr, path::PathBuf};

use axum::Router;
use clap::Args;
use podrole_certs::{Expires, watch_files};
use podrole_runtime::serve::{Limits, Server};
use tokio_util::sync::CancellationToken;

/// A token of 20 kB may come in the query.
const HEAD_BYTES: usize = 64 * 1024;

/// The addresses, and the certificate of one of them.
#[derive(Args, Clone, Debug)]
pub struct ListenArgs {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS")]
    pub bind: SocketAddr,

    /// Serves the same over HTTPS on this address, for callers who know STS by its own name only
    #[arg(long, value_name = "ADDRESS", requires_all = ["tls_cert", "tls_key"])]
    pub tls_bind: Option<SocketAddr>,

    /// The certificate chain of HTTPS (PEM); a changed one is served without a restart
    #[arg(long, value_name = "FILE", requires = "tls_bind")]
    pub tls_cert: Option<PathBuf>,

    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_bind")]
    pub tls_key: Option<PathBuf>,
}

/// The listeners, bound and not yet serving.
pub(crate) struct Listeners {
    plain: Server,
    tls: Option<Server>,
}

impl Listeners {
    /// Takes the addresses.
    ///
    /// # Errors
    /// When one cannot be had, or the certificate cannot be served.
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

    /// What a person should know at the start.
    pub(crate) fn notice(&self) -> String {
        let plain = self.plain.address();
        let tls = self.tls.as_ref().map(|tls| format!(" and https://{}", tls.address()));
        let tls = tls.unwrap_or_default();
        format!("podrole-sandbox on http://{plain}{tls}: this is not AWS, and it guards nothing")
    }

    /// Serves until `shutdown`.
    pub(crate) async fn run(self, router: Router, shutdown: CancellationToken) {
        let Some(tls) = self.tls else {
            return self.plain.run(router, shutdown).await;
        };
        tokio::join!(self.plain.run(router.clone(), shutdown.clone()), tls.run(router, shutdown));
    }
}
