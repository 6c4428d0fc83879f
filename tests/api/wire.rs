//! A wire to the API server that a test can cut and mend, and lead to another one.

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
    there: SocketAddr,
    open: watch::Sender<Option<SocketAddr>>,
}

impl Wire {
    pub(crate) async fn to(cluster: &Cluster) -> anyhow::Result<Self> {
        let there = address_of(cluster)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (open, state) = watch::channel(Some(there));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, state.clone()));
            }
        });
        Ok(Self { address, there, open })
    }

    pub(crate) fn cut(&self) {
        self.open.send_replace(None);
    }

    pub(crate) fn mend(&self) {
        self.open.send_replace(Some(self.there));
    }

    /// Ends the connections, as an API server that stops; new ones come to another.
    pub(crate) fn lead_to(&self, cluster: &Cluster) -> anyhow::Result<()> {
        self.open.send_replace(Some(address_of(cluster)?));
        Ok(())
    }

    /// The cluster's kubeconfig, but by this wire.
    pub(crate) fn kubeconfig(&self, cluster: &Cluster, folder: &Path) -> anyhow::Result<PathBuf> {
        let whole = std::fs::read_to_string(cluster.kubeconfig())?;
        let path = folder.join("by-wire.kubeconfig");
        std::fs::write(&path, whole.replace(cluster.url(), &format!("https://{}", self.address)))?;
        Ok(path)
    }
}

fn address_of(cluster: &Cluster) -> anyhow::Result<SocketAddr> {
    Ok(cluster.url().trim_start_matches("https://").parse()?)
}

async fn carry(mut here: TcpStream, mut open: watch::Receiver<Option<SocketAddr>>) {
    let there = *open.borrow_and_update();
    let Some(there) = there else { return };
    let Ok(mut there) = TcpStream::connect(there).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut here, &mut there) => {}
        _ = open.changed() => {}
    }
}
