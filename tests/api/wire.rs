//! A wire to the API server that a test can cut and mend.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use podrole_tests::cluster::Cluster;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// While it is cut, connections end at once.
pub(crate) struct Wire {
    address: SocketAddr,
    cut: watch::Sender<bool>,
}

impl Wire {
    pub(crate) async fn to(cluster: &Cluster) -> anyhow::Result<Self> {
        let there: SocketAddr = cluster.url().trim_start_matches("https://").parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cut, state) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, there, state.clone()));
            }
        });
        Ok(Self { address, cut })
    }

    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    pub(crate) fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// The cluster's kubeconfig, but by this wire.
    pub(crate) fn kubeconfig(&self, cluster: &Cluster, folder: &Path) -> anyhow::Result<PathBuf> {
        let whole = std::fs::read_to_string(cluster.kubeconfig())?;
        let path = folder.join("by-wire.kubeconfig");
        std::fs::write(&path, whole.replace(cluster.url(), &format!("https://{}", self.address)))?;
        Ok(path)
    }
}

async fn carry(mut here: TcpStream, there: SocketAddr, mut cut: watch::Receiver<bool>) {
    if *cut.borrow() {
        return;
    }
    let Ok(mut there) = TcpStream::connect(there).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut here, &mut there) => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}
