//! A proxy before a real API server that a test can make slow, unwilling or mute, look-up by look-up. It speaks HTTP/2
//! as the API server does, so a stream can fail while its connection lives.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use http::{Request, Response, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use kube::{Client, client::Body};
use podrole_tests::cluster::Cluster;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, time::sleep};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

/// How a request is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is answered.
    #[default]
    Good,
    /// It is answered after this time.
    After(Duration),
    /// It is refused with this status.
    Status(u16),
    /// Its stream ends without an answer.
    Close,
}

/// How the API server treats whom.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// GETs of one pod.
    pub(crate) pod: Manner,
    /// GETs of one ServiceAccount, association or Namespace.
    pub(crate) grant: Manner,
    /// Watches stay connected and report nothing.
    pub(crate) mute: bool,
}

/// What was asked of ServiceAccounts, associations and Namespaces so far.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// GETs of one.
    pub(crate) gets: AtomicUsize,
    /// Watches of one.
    pub(crate) watches: AtomicUsize,
}

/// The proxy; it ends with the test's runtime.
pub(crate) struct FaultyApi {
    address: SocketAddr,
    ca: String,
    manners: watch::Sender<Manners>,
    connections: Arc<AtomicUsize>,
    asked: Arc<Asked>,
}

impl FaultyApi {
    pub(crate) async fn before(cluster: &Cluster) -> anyhow::Result<Self> {
        let client = cluster.client().await?;
        let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let der = PrivateKeyDer::try_from(key.signing_key.serialize_der());
        let der = der.map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![key.cert.der().clone()], der)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (manners, state) = watch::channel(Manners::default());
        let connections = Arc::<AtomicUsize>::default();
        let (count, asked) = (Arc::clone(&connections), Arc::<Asked>::default());
        let counts = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                let (acceptor, client, state) = (acceptor.clone(), client.clone(), state.clone());
                let asked = Arc::clone(&counts);
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await?;
                    let service = service_fn(move |request| {
                        count_grants(&request, &asked);
                        answer(client.clone(), request, state.clone())
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let served = builder.serve_connection(TokioIo::new(stream), service).await;
                    served.map_err(|error| std::io::Error::other(error.to_string()))
                });
            }
        });
        Ok(Self { address, ca: key.cert.pem(), manners, connections, asked })
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Manners)) {
        self.manners.send_modify(change);
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// A kubeconfig of the cluster by this way, without a credential: the proxy has the administrator's.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let cluster = json!({
            "server": format!("https://{}", self.address),
            "certificate-authority-data": STANDARD.encode(&self.ca),
        });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        });
        let path = folder.join("faulty-api.kubeconfig");
        std::fs::write(&path, config.to_string())?;
        Ok(path)
    }
}

/// How this request is treated now.
fn manner(path: &str, is_get: bool, manners: Manners) -> Manner {
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["api", "v1", "namespaces", _, "pods", _] if is_get => manners.pod,
        ["api", "v1", "namespaces", _, "serviceaccounts", _] | ["api", "v1", "namespaces", _]
            if is_get =>
        {
            manners.grant
        }
        ["apis", "podrole.io", "v1alpha1", "podidentityassociations", _] if is_get => manners.grant,
        _ => Manner::Good,
    }
}

/// Counts GETs and watches of single ServiceAccounts, associations and Namespaces. A watch begins with a list of its
/// name, which is not counted.
fn count_grants(request: &Request<Incoming>, asked: &Asked) {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let counter = match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["api", "v1", "namespaces", _]
        | ["api", "v1", "namespaces", _, "serviceaccounts", _]
        | ["apis", "podrole.io", "v1alpha1", "podidentityassociations", _] => &asked.gets,
        ["api", "v1", "namespaces"]
        | ["api", "v1", "namespaces", _, "serviceaccounts"]
        | ["apis", "podrole.io", "v1alpha1", "podidentityassociations"]
            if query.contains("watch=true") =>
        {
            &asked.watches
        }
        _ => return,
    };
    counter.fetch_add(1, SeqCst);
}

async fn answer(
    client: Client,
    mut request: Request<Incoming>,
    mut state: watch::Receiver<Manners>,
) -> anyhow::Result<Response<UnsyncBoxBody<Bytes, anyhow::Error>>> {
    let path = request.uri().path().to_owned();
    let manners = *state.borrow_and_update();
    match manner(&path, request.method() == http::Method::GET, manners) {
        Manner::Good => {}
        Manner::After(time) => sleep(time).await,
        Manner::Close => anyhow::bail!("closed by the test"),
        Manner::Status(code) => {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "refused by the test", "reason": "Test", "code": code,
            });
            let body = Full::from(status.to_string()).map_err(never).boxed_unsync();
            return Ok(Response::builder().status(code).body(body)?);
        }
    }
    let target = request.uri().path_and_query().context("no path")?.as_str().parse()?;
    *request.uri_mut() = target;
    *request.version_mut() = http::Version::HTTP_11;
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(http::header::HOST);
    let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    let (head, body) = request.into_parts();
    let body = Body::from(body.collect().await?.to_bytes());
    let answer = client.send(Request::from_parts(head, body)).await?;
    let (head, body) = answer.into_parts();
    let frames = BodyStream::new(body).then(move |frame| {
        let mut state = state.clone();
        async move {
            if is_watch {
                // What came while it was mute is lost to the watch, as long as that lasts.
                let _ = state.wait_for(|manners| !manners.mute).await;
            }
            frame.map_err(anyhow::Error::from)
        }
    });
    Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}

fn never(infallible: Infallible) -> anyhow::Error {
    match infallible {}
}
