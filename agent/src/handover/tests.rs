use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use podrole_identity::{AGENT_AUDIENCE, Exchange};
use podrole_runtime::serve::{Limits, Server};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::{JoinSet, spawn_blocking},
    time::{Instant, interval},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clock::Clock,
    keys::{JwksCache, KeySource},
    node::{Liveness, PodFacts, PodMap},
    tests::fixture::{ISSUER, RSA, STRANGER, Signer, claims, keys, now},
};

mod strangers;

/// A node with two pods of the agent's DaemonSet, `first` and `second`.
struct Node {
    dir: tempfile::TempDir,
    pods: PodMap,
}

impl Node {
    fn new() -> Self {
        let node = Self { dir: tempfile::tempdir().unwrap(), pods: PodMap::default() };
        for name in ["first", "second"] {
            node.add(PodFacts { controller: Some("daemon-set".to_owned()), ..pod(name) });
        }
        node
    }

    fn add(&self, pod: PodFacts) {
        self.pods.insert(pod);
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("handover")
    }

    /// The file with the token of a pod.
    fn token(&self, pod: &str) -> PathBuf {
        self.changed_token(pod, &RSA, |_| ())
    }

    fn changed_token(&self, pod: &str, by: &Signer, change: impl FnOnce(&mut Value)) -> PathBuf {
        let mut claims = agent_claims(pod);
        change(&mut claims);
        let file = self.dir.path().join(format!("{pod}.token"));
        // As in a file that someone has edited.
        std::fs::write(&file, format!("{}\n", by.token("RS256", &claims))).unwrap();
        file
    }

    fn holder(&self, token: PathBuf) -> Holder {
        let clock = Clock::new(now);
        let keys = JwksCache::new(KeySource::Static(keys(&[&RSA])), clock.clone());
        let liveness = Liveness::on(Arc::new(self.pods.clone()), "n1");
        Holder::new(keys, vec![ISSUER.to_owned()], liveness, clock, token, agreement())
    }

    /// Offers a socket as the agent of the pod `first`.
    fn offer(&self) -> std::net::SocketAddr {
        let listener = listening();
        let address = listener.local_addr().unwrap();
        offer(&self.socket(), self.holder(self.token("first")), vec![listener]).unwrap();
        address
    }

    async fn ask(&self, token: PathBuf, agreement: Agreement) -> Inheritance {
        let socket = self.socket();
        spawn_blocking(move || inherit(&socket, &token, &agreement)).await.unwrap()
    }

    /// The sockets that the agent of this pod gets.
    async fn take(&self, pod: &str) -> Vec<TcpListener> {
        match self.ask(self.token(pod), agreement()).await {
            Inheritance::Sockets(sockets) => sockets,
            other => panic!("{other:?}"),
        }
    }

    async fn refusal(&self, token: PathBuf, agreement: Agreement) -> String {
        match self.ask(token, agreement).await {
            Inheritance::Refused(reason) => reason,
            other => panic!("{other:?}"),
        }
    }
}

fn pod(uid: &str) -> PodFacts {
    PodFacts { uid: uid.to_owned(), node: Some("n1".to_owned()), ..PodFacts::default() }
}

fn agent_claims(pod: &str) -> Value {
    let mut claims = claims();
    claims["aud"] = json!([AGENT_AUDIENCE]);
    claims["sub"] = "system:serviceaccount:podrole-agent:podrole-agent".into();
    claims["kubernetes.io"] = json!({
        "namespace": "podrole-agent",
        "node": {"name": "n1", "uid": "node-uid"},
        "pod": {"name": pod, "uid": pod},
        "serviceaccount": {"name": "podrole-agent", "uid": "sa-uid"},
    });
    claims
}

fn agreement() -> Agreement {
    Agreement {
        release: "1.0.0".to_owned(),
        exchange: Exchange::WebIdentity,
        settings: "same".to_owned(),
    }
}

fn listening() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[tokio::test]
async fn without_a_predecessor_no_socket_is_inherited() {
    let node = Node::new();
    let ask = async || node.ask(node.token("second"), agreement()).await;
    assert!(matches!(ask().await, Inheritance::None));
    drop(UnixListener::bind(node.socket()).unwrap());
    assert!(matches!(ask().await, Inheritance::None));
    // The socket file of a dead predecessor is replaced.
    node.offer();
    assert_eq!(node.take("second").await.len(), 1);
    let nowhere = Path::new("/nonexistent/socket");
    let nowhere = offer(nowhere, node.holder(node.token("first")), Vec::new()).unwrap_err();
    let nowhere = nowhere.to_string();
    assert!(nowhere.contains("--handover /nonexistent/socket"), "{nowhere}");
}

#[tokio::test]
async fn the_sockets_are_the_same_and_only_the_owner_may_connect() {
    let node = Node::new();
    let (one, two) = (listening(), listening());
    let addresses = [one.local_addr().unwrap(), two.local_addr().unwrap()];
    offer(&node.socket(), node.holder(node.token("first")), vec![one, two]).unwrap();
    let mode = std::fs::metadata(node.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let taken = node.take("second").await;
    let taken: Vec<_> = taken.iter().map(|one| one.local_addr().unwrap()).collect();
    assert_eq!(taken, addresses);
}

/// Opens a connection each millisecond while three successors take over one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_handovers_under_1000_connections_a_second_lose_none() {
    let node = Node::new();
    let offer = |holder: &str, server: &Server| {
        let holder = node.holder(node.token(holder));
        offer(&node.socket(), holder, vec![server.share().unwrap()]).unwrap();
    };
    let router = || Router::new().route("/", get(|| async { "hello" }));
    let first = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
    let address = first.address();
    offer("first", &first);
    let mut end = CancellationToken::new();
    let mut running = tokio::spawn(first.run(router(), end.clone()));

    let (stop, failed) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn(load(address, stop.clone(), Arc::clone(&failed)));
    for pod in ["second", "first", "second"] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let inherited = node.take(pod).await.pop().unwrap();
        let next = Server::take_over(inherited, Limits::default()).unwrap();
        assert_eq!(next.address(), address);
        offer(pod, &next);
        let (theirs, before) = (CancellationToken::new(), end);
        let successor = tokio::spawn(next.run(router(), theirs.clone()));
        before.cancel();
        running.await.unwrap();
        (end, running) = (theirs, successor);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.cancel();
    let sent = load.await.unwrap();
    assert_eq!(failed.load(SeqCst), 0, "of {sent}");
    assert!(sent > 300, "{sent}");
}

async fn load(
    address: std::net::SocketAddr,
    stop: CancellationToken,
    failed: Arc<AtomicUsize>,
) -> usize {
    let (mut tick, mut sent, mut asking) = (interval(Duration::from_millis(1)), 0, JoinSet::new());
    let begun = Instant::now();
    while !stop.is_cancelled() && begun.elapsed() < Duration::from_secs(30) {
        tick.tick().await;
        sent += 1;
        let failed = Arc::clone(&failed);
        asking.spawn(async move {
            if ask(address).await.is_none_or(|answer| !answer.ends_with("hello")) {
                failed.fetch_add(1, SeqCst);
            }
        });
    }
    asking.join_all().await;
    sent
}

async fn ask(address: std::net::SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}
