//! The running agent's side.

use std::{
    io,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use podrole_identity::Audience;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};

use super::{
    agreement::Agreement,
    judge,
    refusal::HandoverRefusal,
    wire::{self, Introduction, MAX_INTRODUCTION},
};
use crate::{
    bearer_token::PresentedToken,
    clock::Clock,
    keys::{JwksCache, VerifyError},
    node::Liveness,
    token::{Caller, Rules, TokenError},
};

/// For a successor's introduction, which it sends at once.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// For the look-ups of keys and pods.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// How many processes are heard at the same time. One that says nothing has its place for 2 s.
const MAX_PEERS: usize = 32;
const RETRY: Duration = Duration::from_secs(2);

/// The Unix socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "--handover {}: {error}; its directory must exist and be writable by the agent's user alone",
    path.display()
)]
pub struct HandoverError {
    path: PathBuf,
    error: io::Error,
}

/// The running agent: what it checks a successor with.
pub struct Holder {
    keys: JwksCache,
    rules: Rules,
    liveness: Liveness,
    clock: Clock,
    token: PathBuf,
    agreement: Agreement,
}

impl Holder {
    /// An agent whose own token is in the file `token`, and whose `issuers` are those of pods' tokens.
    #[must_use]
    pub fn new(
        keys: JwksCache,
        issuers: Vec<String>,
        liveness: Liveness,
        clock: Clock,
        token: PathBuf,
        agreement: Agreement,
    ) -> Self {
        let audiences = vec![Audience::agent()];
        let rules = Rules { issuers, audiences, own_audiences: false };
        Self { keys, rules, liveness, clock, token, agreement }
    }

    /// Checks a process that has connected.
    async fn check(&self, stream: &mut UnixStream) -> Result<Caller, HandoverRefusal> {
        check_user(stream)?;
        let introduction = timeout(READ_TIMEOUT, read(stream)).await.ok().flatten();
        let introduction = introduction.ok_or(HandoverRefusal::NoIntroduction)?;
        let checked = timeout(CHECK_TIMEOUT, self.check_introduction(&introduction)).await;
        checked.unwrap_or(Err(HandoverRefusal::Timeout))
    }

    async fn check_introduction(&self, theirs: &Introduction) -> Result<Caller, HandoverRefusal> {
        let caller = self.verify(&theirs.token).await?;
        let ours = self.own_caller().await?;
        judge::check_tokens(&ours, &caller)?;
        let pod = self.liveness.check(&caller, self.clock.now()).await?;
        let pod = pod.ok_or(HandoverRefusal::UnknownPod)?;
        // Only a new release or new settings need it.
        let own_pod = self.liveness.check(&ours, self.clock.now()).await.ok().flatten();
        let ours = (&self.agreement, own_pod.as_ref());
        judge::check_agreement(ours, (&theirs.agreement, &pod))?;
        Ok(caller)
    }

    async fn verify(&self, token: &str) -> Result<Caller, VerifyError> {
        let token = PresentedToken::read(token.as_bytes()).map_err(|_| TokenError::Malformed)?;
        self.keys.verify(&token.to_bearer(), &self.rules, self.clock.now()).await
    }

    async fn own_caller(&self) -> Result<Caller, HandoverRefusal> {
        let read = tokio::fs::read_to_string(&self.token).await;
        let token = read.map_err(|error| HandoverRefusal::OwnToken(error.to_string()))?;
        let verified = self.verify(token.trim()).await;
        verified.map_err(|error| HandoverRefusal::OwnToken(error.to_string()))
    }
}

fn check_user(stream: &UnixStream) -> Result<(), HandoverRefusal> {
    let ours = rustix::process::geteuid().as_raw();
    // A peer without a user is none of ours.
    let theirs = stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
    if [0, ours].contains(&theirs) {
        return Ok(());
    }
    Err(HandoverRefusal::User { ours, theirs })
}

async fn read(stream: &mut UnixStream) -> Option<Introduction> {
    let mut said = Vec::new();
    stream.take(MAX_INTRODUCTION).read_to_end(&mut said).await.ok()?;
    serde_json::from_slice(&said).ok()
}

/// Sends `listeners` to each successor that connects to `path` and that `holder` accepts, from now on.
///
/// # Errors
/// If the Unix socket cannot be bound.
pub fn offer(
    path: &Path,
    holder: Holder,
    listeners: Vec<TcpListener>,
) -> Result<(), HandoverError> {
    let failed = |error| HandoverError { path: path.to_owned(), error };
    let socket = bind(path).map_err(failed)?;
    let offered = Arc::new((holder, listeners));
    let places = Arc::new(Semaphore::new(MAX_PEERS));
    tokio::spawn(async move {
        // Never closed, so that there is always a place some time.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match socket.accept().await {
                Ok((stream, _)) => {
                    let offered = Arc::clone(&offered);
                    tokio::spawn(async move {
                        answer(&offered.0, stream, &offered.1).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "could not accept a connection on the handover socket; retrying"
                    );
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    });
    Ok(())
}

/// Binds at a temporary path and renames it, so that a successor always finds a socket.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside);
    let socket = UnixListener::bind(&beside)?;
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&beside, path)?;
    Ok(socket)
}

async fn answer(holder: &Holder, mut stream: UnixStream, listeners: &[TcpListener]) {
    match holder.check(&mut stream).await {
        Ok(successor) => match wire::send_sockets(&stream, listeners) {
            Ok(()) => {
                let (sockets, pod) = (listeners.len(), successor.pod_name);
                tracing::info!(sockets, pod, "sent the listening sockets to a successor");
            }
            Err(error) => {
                tracing::warn!(%error, "could not send the listening sockets to a successor; it binds its own");
            }
        },
        Err(refusal) => {
            tracing::warn!(
                reason = %refusal,
                "another process asked for the listening sockets; keeping them"
            );
            let refusal = wire::refusal(&refusal.to_string());
            let _ = timeout(WRITE_TIMEOUT, stream.write_all(&refusal)).await;
        }
    }
}
