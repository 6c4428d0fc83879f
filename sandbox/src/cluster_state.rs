//! `--cluster-state NAME`: what a sandbox in a cluster must know after a restart, and share with its other replicas.
//!
//! ```text
//!   Secret NAME     session-key: the key that sessions are derived from
//!   ConfigMap NAME  roles.json:  which ServiceAccount each role of --auto-roles was made for
//! ```
//!
//! The sandbox makes both itself, by server-side apply, which RBAC can limit to these names. A chart that
//! rendered the key would render another one wherever `lookup` finds nothing (`helm template`, Argo CD), and a
//! forced upgrade would blank the roles. They are owned by the sandbox's ServiceAccount, so that an uninstall
//! removes them.
//!
//! A role takes effect only after its binding was saved, and the ConfigMap is only changed at the version that
//! was read: two replicas cannot give one role to two ServiceAccounts.

mod bindings;
mod error;
mod object;

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

pub(crate) use self::{bindings::Binding, error::ClusterStateError};
use self::{
    bindings::Bindings,
    object::{Kind, Object, Owner},
};
use crate::{SessionKey, discovery::api_server::ApiServer, random};

/// How often a change is tried that another replica gets ahead of.
const ATTEMPTS: usize = 5;
/// The minimum time between two reads that sessions cause.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// How long a request for a new role waits for the API server, and for the requests before it.
const BIND_TIMEOUT: Duration = Duration::from_secs(5);
/// How many roles one ServiceAccount may get: the ConfigMap has room for a thousand, which one pod could ask for.
const MAX_ROLES_OF_ONE: usize = 50;

/// The Secret and the ConfigMap.
pub(crate) struct ClusterState {
    server: ApiServer,
    name: String,
    owner: Owner,
    /// Differs between processes. Two that create the Secret at once then conflict, and the second one
    /// uses the key of the first one.
    manager: String,
    /// One change at a time; those of other processes are found by the object's version.
    changing: tokio::sync::Mutex<()>,
    /// When the bindings were last read because of a session.
    last_read: tokio::sync::Mutex<Option<Instant>>,
}

impl ClusterState {
    /// The objects of that name in the pod's own namespace, which the pod's token names.
    ///
    /// # Errors
    /// If the token cannot be read.
    pub(crate) fn new(server: ApiServer, name: &str) -> Result<Self, ClusterStateError> {
        let owner = Owner::of(server.token()?.trim()).ok_or(ClusterStateError::Token)?;
        let manager = random::bytes::<8>().map_err(|_| ClusterStateError::NoRandom)?;
        let manager = format!("podrole-sandbox-{}", random::hex(&manager));
        let (changing, last_read) = (tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self { server, name: name.to_owned(), owner, manager, changing, last_read })
    }

    /// The session key of the Secret, which is made if it is missing.
    ///
    /// # Errors
    /// If the API server does not answer or refuses, or if the Secret has another content.
    pub(crate) async fn session_key(&self) -> Result<SessionKey, ClusterStateError> {
        for _ in 0..ATTEMPTS {
            let object = self.read(Kind::Secret).await?;
            if let Some(text) = object.as_ref().and_then(Object::content) {
                return SessionKey::read(&text)
                    .map_err(|error| self.unreadable(Kind::Secret, &error.to_string()));
            }
            let new = SessionKey::generate().map_err(|_| ClusterStateError::NoRandom)?;
            if self.create(Kind::Secret, &new).await? {
                tracing::info!(secret = self.name, "made a session key");
            }
        }
        Err(self.busy(Kind::Secret))
    }

    /// All bindings that were saved.
    ///
    /// # Errors
    /// If the API server does not answer or refuses, or if the ConfigMap has another content.
    pub(crate) async fn bindings(&self) -> Result<Vec<Binding>, ClusterStateError> {
        let object = self.read(Kind::ConfigMap).await?;
        Ok(self.parse(object.as_ref())?.into_list())
    }

    /// All bindings that were saved, at most a second apart. `None` if they were read while this call waited, so that the
    /// caller has them already.
    ///
    /// # Errors
    /// As of `bindings`.
    pub(crate) async fn bindings_in_turn(&self) -> Option<Result<Vec<Binding>, ClusterStateError>> {
        let asked = Instant::now();
        let mut last = self.last_read.lock().await;
        if let Some(read) = *last {
            if read >= asked {
                return None;
            }
            sleep_until(read + MIN_INTERVAL).await;
        }
        *last = Some(Instant::now());
        Some(self.bindings().await)
    }

    /// Saves a binding, unless its role has one already. Returns all bindings as they are then.
    ///
    /// # Errors
    /// As of `bindings`, and if the ConfigMap is full.
    pub(crate) async fn bind(&self, new: &Binding) -> Result<Vec<Binding>, ClusterStateError> {
        // Requests for other roles wait meanwhile: for all of them together, not for each.
        let saved = timeout(BIND_TIMEOUT, self.bind_after_others(new)).await;
        saved.unwrap_or_else(|_| Err(self.busy(Kind::ConfigMap)))
    }

    async fn bind_after_others(&self, new: &Binding) -> Result<Vec<Binding>, ClusterStateError> {
        let _one = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            let object = self.read(Kind::ConfigMap).await?;
            let mut bindings = self.parse(object.as_ref())?;
            if bindings.roles_of(&new.service_account) >= MAX_ROLES_OF_ONE {
                return Err(ClusterStateError::TooMany(new.service_account.to_string()));
            }
            if !bindings.add(new) {
                return Ok(bindings.into_list());
            }
            let text =
                bindings.write().ok_or_else(|| ClusterStateError::Full(self.name.clone()))?;
            let written = match &object {
                None => self.create(Kind::ConfigMap, &text).await?,
                Some(object) => self.replace(object, &text).await?,
            };
            if written {
                return Ok(bindings.into_list());
            }
        }
        Err(self.busy(Kind::ConfigMap))
    }

    fn parse(&self, object: Option<&Object>) -> Result<Bindings, ClusterStateError> {
        let content = object.and_then(Object::content);
        let read = content.as_deref().map_or_else(|| Ok(Bindings::default()), Bindings::read);
        read.map_err(|error| self.unreadable(Kind::ConfigMap, &error.to_string()))
    }

    /// `None` if there is no such object.
    async fn read(&self, kind: Kind) -> Result<Option<Object>, ClusterStateError> {
        let path = self.path(kind, "");
        let (status, body) = self.server.call(Method::GET, &path, None).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => match Object::read(kind, &body) {
                Some(object) => Ok(Some(object)),
                None => Err(self.unreadable(kind, "it is not the JSON of one")),
            },
            status => Err(self.refused(kind, "read", status)),
        }
    }

    /// Returns whether it was created: not if another process did it first.
    async fn create(&self, kind: Kind, content: &str) -> Result<bool, ClusterStateError> {
        let manager = &self.manager;
        let path = self.path(kind, &format!("?fieldManager={manager}"));
        let body = object::applied(kind, &self.name, &self.owner, content);
        self.patch(kind, &path, ("application/apply-patch+yaml", body)).await
    }

    /// Returns whether it was replaced: not if another process changed it since it was read.
    async fn replace(&self, object: &Object, content: &str) -> Result<bool, ClusterStateError> {
        let path = self.path(Kind::ConfigMap, "?fieldManager=podrole-sandbox");
        let body = object::replaced(object, content);
        self.patch(Kind::ConfigMap, &path, ("application/merge-patch+json", body)).await
    }

    async fn patch(
        &self,
        kind: Kind,
        path: &str,
        (content_type, body): (&'static str, Value),
    ) -> Result<bool, ClusterStateError> {
        let body = Some((content_type, body.to_string()));
        match self.server.call(Method::PATCH, path, body).await?.0 {
            status if status.is_success() => Ok(true),
            // Also if the object was deleted in between: it is read and created again.
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok(false),
            status => Err(self.refused(kind, "write", status)),
        }
    }

    fn path(&self, kind: Kind, query: &str) -> String {
        let (namespace, plural) = (self.owner.namespace(), kind.plural());
        format!("/api/v1/namespaces/{namespace}/{plural}/{}{query}", self.name)
    }

    fn object(&self, kind: Kind) -> String {
        format!("{} {}/{}", kind.name(), self.owner.namespace(), self.name)
    }

    fn unreadable(&self, kind: Kind, reason: &str) -> ClusterStateError {
        ClusterStateError::Unreadable { object: self.object(kind), reason: reason.to_owned() }
    }

    fn refused(&self, kind: Kind, verb: &'static str, status: StatusCode) -> ClusterStateError {
        ClusterStateError::Refused { object: self.object(kind), verb, status: status.as_u16() }
    }

    fn busy(&self, kind: Kind) -> ClusterStateError {
        ClusterStateError::Busy(self.object(kind))
    }
}
