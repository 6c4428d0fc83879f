//! Reads from the API server. Nothing is ever written.

use std::{fmt::Debug, time::Duration};

use kube::{
    Api, Client, Error, Resource,
    api::{ListParams, ObjectList},
};
use podrole_runtime::{error_text::with_root, objects};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::unread::{Target, Unread};

/// How long one read may take.
const ONE: Duration = Duration::from_secs(5);
/// Objects per page of a list.
const PAGE: u32 = 500;

/// Reads until a deadline.
#[derive(Clone)]
pub(crate) struct Reader {
    client: Client,
    deadline: Instant,
}

impl Reader {
    pub(crate) fn new(client: Client, patience: Duration) -> Self {
        Self { client, deadline: Instant::now() + patience }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Gets an object, or `None` if there is none of this name.
    ///
    /// # Errors
    /// If it is not known whether there is one.
    pub(crate) async fn get<K>(&self, api: &Api<K>, name: &str) -> Result<Option<K>, Unread>
    where
        K: Resource + Clone + Debug + DeserializeOwned,
    {
        let target = || target(api, "get", Some(name));
        self.bounded(api.get_opt(name), target).await
    }

    /// Lists objects page by page, and passes each page to `take`.
    ///
    /// # Errors
    /// If a page cannot be read; earlier pages have been passed then.
    pub(crate) async fn list<K>(
        &self,
        api: &Api<K>,
        params: ListParams,
        mut take: impl FnMut(ObjectList<K>),
    ) -> Result<(), Unread>
    where
        K: Resource + Clone + Debug + DeserializeOwned,
    {
        let mut params = params.limit(PAGE);
        loop {
            let page = self.bounded(api.list(&params), || target(api, "list", None)).await?;
            let next = objects::next_page(params, &page.metadata);
            take(page);
            let Some(next) = next else { return Ok(()) };
            params = next;
        }
    }

    /// All objects of a list.
    ///
    /// # Errors
    /// If one of its pages cannot be read.
    pub(crate) async fn all<K>(&self, api: &Api<K>, params: ListParams) -> Result<Vec<K>, Unread>
    where
        K: Resource + Clone + Debug + DeserializeOwned,
    {
        let mut all = Vec::new();
        self.list(api, params, |page| all.extend(page.items)).await?;
        Ok(all)
    }

    /// Gets a path that is not an object's, such as `version`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) async fn text(&self, path: &str) -> Result<String, Unread> {
        let path = format!("/{path}");
        let target = || Target::of_path(&path);
        let request = http::Request::get(&path).body(Vec::new());
        let request = request.map_err(|error| Unread::Failed(target(), error.to_string()))?;
        self.bounded(self.client.request_text(request), target).await
    }

    /// Ends a request after 5 s, or when the time for all reads is over.
    ///
    /// # Errors
    /// Says what could not be read, and why.
    pub(crate) async fn bounded<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
        target: impl Fn() -> Target,
    ) -> Result<T, Unread> {
        match timeout_at(self.deadline.min(Instant::now() + ONE), request).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(Error::Api(status))) if status.code == 403 || status.code == 401 => {
                Err(Unread::Forbidden(target()))
            }
            Ok(Err(error)) if matches!(&error, Error::Api(status) if status.code == 404) => {
                Err(Unread::NotFound(target(), with_root(&error)))
            }
            Ok(Err(error)) => Err(Unread::Failed(target(), with_root(&error))),
            Err(_) => Err(Unread::TooSlow(target())),
        }
    }
}

/// What a request to `api` is for. A path of the API server is `/api/v1/namespaces/NS/pods` or
/// `/apis/GROUP/VERSION/namespaces/NS/RESOURCE`.
fn target<K: Resource>(api: &Api<K>, verb: &'static str, name: Option<&str>) -> Target {
    let mut parts = api.resource_url().split('/').filter(|part| !part.is_empty());
    let group = match parts.next() {
        Some("apis") => parts.next(),
        _ => None,
    };
    let rest: Vec<&str> = parts.skip(1).collect();
    let (namespace, resource) = match rest.as_slice() {
        ["namespaces", namespace, resource] => (Some((*namespace).to_owned()), *resource),
        [.., resource] => (None, *resource),
        [] => (None, ""),
    };
    let resource = match group {
        Some(group) => format!("{resource}.{group}"),
        None => resource.to_owned(),
    };
    Target { verb, resource, namespace, name: name.map(ToOwned::to_owned) }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{
        apps::v1::Deployment,
        core::v1::{Event, Namespace},
    };

    use super::*;

    fn silent() -> Client {
        let answer = |_: http::Request<kube::client::Body>| async {
            std::future::pending::<Result<http::Response<kube::client::Body>, std::io::Error>>()
                .await
        };
        Client::new(tower::service_fn(answer), "default")
    }

    #[tokio::test]
    async fn the_right_that_a_request_needs_is_named() {
        let events = target(&Api::<Event>::namespaced(silent(), "shop"), "list", None);
        assert_eq!(events.to_string(), "list events in shop");
        let all = target(&Api::<Deployment>::all(silent()), "list", None);
        assert_eq!(all.to_string(), "list deployments.apps");
        let one = target(&Api::<Namespace>::all(silent()), "get", Some("shop"));
        assert_eq!(one.to_string(), "get namespaces shop");
    }

    #[tokio::test]
    async fn only_a_404_says_that_a_kind_is_not_installed() {
        for (code, is_absent) in [(404, true), (500, false)] {
            let answer = move |_: http::Request<kube::client::Body>| async move {
                let status = serde_json::json!({"kind": "Status", "apiVersion": "v1",
                    "status": "Failure", "reason": "x", "message": "no", "code": code});
                let body = kube::client::Body::from(status.to_string().into_bytes());
                http::Response::builder().status(code).body(body)
            };
            let client = Client::new(tower::service_fn(answer), "default");
            let reader = Reader::new(client.clone(), Duration::from_secs(7));
            let api = Api::<Namespace>::all(client);
            let unread = reader.all(&api, ListParams::default()).await.unwrap_err();
            assert_eq!(matches!(unread, Unread::NotFound(..)), is_absent, "{unread:?}");
            assert!(unread.to_string().starts_with("cannot list namespaces: "), "{unread}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_api_server_ends_a_read_after_5_s_and_all_reads_at_the_deadline() {
        let reader = Reader::new(silent(), Duration::from_secs(7));
        let api = Api::<Namespace>::all(silent());
        let begun = Instant::now();
        assert!(matches!(reader.get(&api, "shop").await, Err(Unread::TooSlow(_))));
        assert_eq!(begun.elapsed().as_secs(), 5);
        let listed = reader.list(&api, ListParams::default(), |_| {}).await;
        assert!(matches!(listed, Err(Unread::TooSlow(_))));
        assert_eq!(begun.elapsed().as_secs(), 7);
    }
}
