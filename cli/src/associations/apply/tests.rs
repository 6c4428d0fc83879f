//! Server-side apply against a small API server on this machine.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::*;
use crate::associations::{from_cluster, input, merged::Merged};

#[derive(Clone, Default)]
struct FakeApi(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    requests: Vec<(String, Value)>,
    /// The status for objects of these names, in the dry run or in both passes.
    refused: Vec<(&'static str, u16, bool)>,
    has_no_crd: bool,
    /// The pages of the list.
    pages: Vec<Vec<Value>>,
}

async fn answer(
    State(api): State<FakeApi>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = api.0.lock().unwrap();
    if script.has_no_crd {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    }
    let path = uri.path().strip_prefix("/apis/podrole.io/v1alpha1/podidentityassociations");
    let query = uri.query().unwrap_or_default();
    if method == Method::GET {
        assert_eq!(path, Some(""));
        assert!(query.contains("limit=500"), "{query}");
        let at = query.split_once("continue=p").map_or(0, |(_, at)| at.parse::<usize>().unwrap());
        let next = (at + 1 < script.pages.len()).then(|| format!("p{}", at + 1));
        return json!({"apiVersion": "podrole.io/v1alpha1", "kind": "PodIdentityAssociationList",
            "metadata": {"continue": next}, "items": script.pages[at]})
        .to_string()
        .into_response();
    }
    assert_eq!(method, Method::PATCH);
    assert_eq!(headers["content-type"], "application/apply-patch+yaml");
    let name = path.and_then(|path| path.strip_prefix('/')).unwrap().to_owned();
    let object: Value = serde_json::from_slice(&body).unwrap();
    script.requests.push((format!("{name}?{query}"), object.clone()));
    let is_dry = query.contains("dryRun=All");
    let refused =
        script.refused.iter().find(|(refused, _, dry)| name == *refused && *dry == is_dry);
    if let Some((_, status, _)) = refused {
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {},
            "message": format!("says {status}"), "reason": "Forbidden", "code": status});
        return (StatusCode::from_u16(*status).unwrap(), body.to_string()).into_response();
    }
    object.to_string().into_response()
}

impl FakeApi {
    async fn client(&self) -> Client {
        podrole_runtime::crypto::install();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap()
    }

    /// The lines on standard error, and the exit code.
    async fn apply(&self, force: bool) -> (Vec<String>, u8) {
        let mut merged = Merged::default();
        let text = include_str!("../../../tests/associations/eks.json");
        input::read_text("eks.json", text, true, &mut merged);
        let all = merged.finish().unwrap();
        let (client, progress) = (self.client().await, Progress::new(true));
        match apply(client, &all, ApplyOptions { force }, &progress).await {
            Ok(()) => (vec![], 0),
            Err(failure) => failure.lines(),
        }
    }

    /// The requests, sorted: eight are sent at once.
    fn requests(&self) -> Vec<String> {
        let script = self.0.lock().unwrap();
        let mut all: Vec<_> = script.requests.iter().map(|(request, _)| request.clone()).collect();
        all.sort();
        all
    }
}

#[tokio::test]
async fn all_objects_are_checked_and_then_applied() {
    let api = FakeApi::default();
    assert_eq!(api.apply(false).await, (vec![], 0));
    let dry = "dryRun=All";
    let requests = api.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests.iter().filter(|it| it.contains(dry)).count(), 2);
    assert!(requests.iter().all(|it| it.contains("fieldManager=podrole-import")), "{requests:?}");
    assert!(!requests.iter().any(|it| it.contains("force=true")));
    let script = api.0.lock().unwrap();
    assert!(script.requests[..2].iter().all(|(it, _)| it.contains(dry)));
    let object = &script.requests.iter().find(|(it, _)| it.starts_with("shop.orders?")).unwrap().1;
    assert_eq!(object["metadata"]["name"], "shop.orders");
    assert_eq!(object["spec"]["roleARN"], "arn:aws:iam::111122223333:role/shop-orders");
}

#[tokio::test]
async fn nothing_is_applied_if_one_object_is_refused() {
    let api = FakeApi::default();
    api.0.lock().unwrap().refused = vec![("shop.orders", 422, true), ("billing.export", 403, true)];
    let (lines, code) = api.apply(false).await;
    assert_eq!(
        lines,
        [
            "billing.export: says 403; the ClusterRole podrole-association-editor has the right",
            "shop.orders: says 422",
            "podrole: nothing is applied",
        ]
    );
    assert_eq!((code, api.requests().len()), (1, 2));
}

#[tokio::test]
async fn fields_of_another_manager_are_taken_over_on_request() {
    let api = FakeApi::default();
    api.0.lock().unwrap().refused = vec![("shop.orders", 409, true)];
    let (lines, _) = api.apply(false).await;
    assert_eq!(lines[0], "shop.orders: says 409; --force-conflicts takes these fields over");
    let api = FakeApi::default();
    assert_eq!(api.apply(true).await.1, 0);
    assert!(api.requests().iter().all(|it| it.contains("force=true")));
}

#[tokio::test]
async fn a_failure_after_the_check_says_how_many_are_applied() {
    let api = FakeApi::default();
    api.0.lock().unwrap().refused = vec![("shop.orders", 500, false)];
    let (lines, code) = api.apply(false).await;
    assert_eq!(lines, ["shop.orders: says 500", "podrole: applied 1 of 2; run it again"]);
    assert_eq!((code, api.requests().len()), (1, 4));
}

#[tokio::test]
async fn a_cluster_without_the_kind_is_named_once() {
    let api = FakeApi::default();
    api.0.lock().unwrap().has_no_crd = true;
    let crd = "the CRD podidentityassociations.podrole.io is not installed; install podrole's chart \
               with crds.install=true";
    let (lines, code) = api.apply(false).await;
    assert_eq!((lines, code), (vec![crd.to_owned(), "podrole: nothing is applied".to_owned()], 1));
    let failed = from_cluster::read(api.client().await, &Progress::new(true)).await.unwrap_err();
    assert_eq!(failed.lines(), (vec![format!("podrole: {crd}")], 2));
}

#[tokio::test]
async fn a_cluster_is_read_page_by_page() {
    let object = |name: &str, more: Value| {
        let (namespace, service_account) = name.split_once('.').unwrap();
        let mut spec = json!({"namespace": namespace, "serviceAccount": service_account,
            "roleARN": "arn:aws:iam::111122223333:role/app", "disableSessionTags": false});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"apiVersion": "podrole.io/v1alpha1", "kind": "PodIdentityAssociation",
            "metadata": {"name": name}, "spec": spec, "status": {"conditions": []}})
    };
    let api = FakeApi::default();
    api.0.lock().unwrap().pages = vec![
        vec![object("a.one", json!({})), object("a.two", json!({}))],
        vec![object("a.zoo", json!({}))],
    ];
    let merged = from_cluster::read(api.client().await, &Progress::new(true)).await.unwrap();
    let all = merged.finish().unwrap();
    let names = all.iter().map(|it| it.association.service_account.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["a/one", "a/two", "a/zoo"]);
    api.0.lock().unwrap().pages = vec![vec![object("a.new", json!({"onlyOn": "Tue"}))]];
    let merged = from_cluster::read(api.client().await, &Progress::new(true)).await.unwrap();
    let errors = merged.finish().unwrap_err();
    let said = "PodIdentityAssociation a.new: unknown field `onlyOn`";
    assert_eq!(errors[0].to_string(), said);
}

#[tokio::test]
async fn an_api_server_that_is_away_is_named_once() {
    podrole_runtime::crypto::install();
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let client = Client::try_from(config).unwrap();
    let failed = from_cluster::read(client, &Progress::new(true)).await.unwrap_err();
    let (lines, code) = failed.lines();
    assert!(lines[0].starts_with("podrole: could not reach the cluster: "), "{lines:?}");
    assert_eq!(code, 2);
}
