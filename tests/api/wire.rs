//! A wire to the API server that a test can cut, stall, restore, and point at another one.

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

/// While it is cut, connections end at once; while it is stalled, they say nothing.
pub(crate) struct Wire {
    address: SocketAddr,
    there: SocketAddr,
    way: watch::Sender<Way>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    To(SocketAddr),
    Cut,
    Stalled,
    /// The connections there are say nothing; new ones are carried.
    Renewed,
}

impl Wire {
    pub(crate) async fn to(cluster: &Cluster) -> anyhow::Result<Self> {
        let there = address_of(cluster)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (way, state) = watch::channel(Way::To(there));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, there, state.clone()));
            }
        });
        Ok(Self { address, there, way })
    }

    pub(crate) fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    pub(crate) fn restore(&self) {
        self.way.send_replace(Way::To(self.there));
    }

    /// As where a firewall or a dead node swallows what is sent.
    pub(crate) fn stall(&self) {
        self.way.send_replace(Way::Stalled);
    }

    /// As where a load balancer has forgotten the connections that there are.
    pub(crate) fn forget_connections(&self) {
        self.way.send_replace(Way::Renewed);
    }

    /// Ends the connections, as an API server that stops; new ones come to another.
    pub(crate) fn lead_to(&self, cluster: &Cluster) -> anyhow::Result<()> {
        self.way.send_replace(Way::To(address_of(cluster)?));
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

async fn carry(mut here: TcpStream, first: SocketAddr, mut way: watch::Receiver<Way>) {
    let now = match *way.borrow_and_update() {
        Way::Renewed => Way::To(first),
        now => now,
    };
    // Held until the end, so that neither side hears of it.
    let mut there = None;
    if let Way::To(address) = now {
        let Ok(stream) = TcpStream::connect(address).await else { return };
        let there = there.insert(stream);
        tokio::select! {
            _ = copy_bidirectional(&mut here, there) => return,
            _ = way.changed() => {}
        }
    }
    let _ = way.wait_for(|way| ![Way::Stalled, Way::Renewed].contains(way)).await;
}
