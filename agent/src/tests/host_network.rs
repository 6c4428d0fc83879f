//! Pods on the host's network have one address, and the kernel knows them apart.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures::future::{BoxFuture, FutureExt as _, ready};

use super::fast_path::{Setup, pod};
use crate::{
    bearer_token::tests::bearer,
    node::PodFacts,
    peer::{PeerCheck, VerifyPeer},
    socket_owner::SocketOwner,
};

const NODE: &str = "192.0.2.7:40000";

/// A kernel that says whose the client's socket is, and by how many it was asked.
#[derive(Default)]
struct Sockets(Mutex<(Option<&'static str>, usize)>);

impl SocketOwner for Sockets {
    fn pod_uid(&self, client: SocketAddr) -> BoxFuture<'_, Option<String>> {
        assert_eq!(client.to_string(), NODE);
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        ready(state.0.map(str::to_owned)).boxed()
    }
}

/// A node with the token's pod, another one on the host's network, and one that has ended.
fn node(mode: VerifyPeer, host_network: bool) -> (Setup, Arc<Sockets>) {
    let sockets = Arc::new(Sockets::default());
    let setup = Setup::changed(|options| {
        options.peers = PeerCheck { mode, ..PeerCheck::default() };
        options.socket_owner = Some(sockets.clone());
    });
    let on_host = |uid: &str| {
        pod(|pod| {
            uid.clone_into(&mut pod.uid);
            pod.addresses = vec!["192.0.2.7".parse().unwrap()];
            pod.host_network = true;
        })
    };
    setup.pods.insert(on_host("another"));
    setup.pods.insert(PodFacts { finished: true, ..on_host("ended") });
    if host_network {
        setup.pods.insert(on_host("pod-uid"));
    }
    (setup, sockets)
}

async fn ask(setup: &Setup, client: &str) -> u16 {
    let client: SocketAddr = client.parse().unwrap();
    let asked = setup.agent.credentials(&bearer(&setup.token), Some(client)).await;
    asked.map_or_else(|refusal| refusal.status(), |_| 200)
}

#[tokio::test]
async fn another_pod_at_the_nodes_address_is_refused_and_what_is_not_known_is_as_before() {
    for host_network in [true, false] {
        let (setup, sockets) = node(VerifyPeer::Auto, host_network);
        for (owner, status) in [
            (None, 200),
            (Some("pod-uid"), 200),
            (Some("another"), 403),
            (Some("ended"), 403),
            (Some("never-seen"), 200),
        ] {
            sockets.0.lock().unwrap().0 = owner;
            assert_eq!(ask(&setup, NODE).await, status, "{owner:?}");
        }
    }
    for (owner, status) in [(None, 200), (Some("pod-uid"), 200), (Some("another"), 403)] {
        let (setup, sockets) = node(VerifyPeer::Enforce, true);
        sockets.0.lock().unwrap().0 = owner;
        assert_eq!(ask(&setup, NODE).await, status, "{owner:?}");
    }
}

#[tokio::test]
async fn each_request_from_the_nodes_address_is_judged_by_its_own_socket() {
    let (setup, sockets) = node(VerifyPeer::Auto, true);
    sockets.0.lock().unwrap().0 = Some("pod-uid");
    for _ in 0..3 {
        assert_eq!(ask(&setup, NODE).await, 200);
    }
    // Another pod could be the next one at this address.
    let peer = NODE.parse::<SocketAddr>().unwrap().ip();
    assert!(setup.cached(&setup.token, Some(peer)).is_none());
    assert_eq!(sockets.0.lock().unwrap().1, 3);
}

#[tokio::test]
async fn the_kernel_is_not_asked_for_a_pods_own_address() {
    let (setup, sockets) = node(VerifyPeer::Auto, false);
    assert_eq!(
        (ask(&setup, "10.1.2.3:40000").await, ask(&setup, "10.1.2.3:40000").await),
        (200, 200)
    );
    assert!(setup.cached(&setup.token, "10.1.2.3".parse().ok()).is_some());
    assert_eq!(sockets.0.lock().unwrap().1, 0);
}
