//! The watch and the live reads against an API server of a few lines, on loopback.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path as UrlPath, RawQuery, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::{StreamExt as _, stream};
use podrole_identity::PermittedRoles;
use podrole_runtime::health::Health;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::broadcast,
    time::{sleep, timeout},
};

use super::*;
use crate::{registered_timeout::RegisteredTimeout, registration_monitor::monitor};
use std::path::Path;

/// Lines to send over the watch.
type Events = broadcast::Sender<String>;

fn meta(name: &str, version: u32, role: Option<&str>) -> Value {
    let arn = role.map(|name| format!("arn:aws:iam::111122223333:role/{name}"));
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {
        "namespace": "shop", "name": name, "resourceVersion": version.to_string(),
        "annotations": {"eks.amazonaws.com/role-arn": arn.unwrap_or_default()}}})
}

async fn list(RawQuery(query): RawQuery, State(events): State<Events>) -> Response {
    if !query.unwrap_or_default().contains("watch=true") {
        let list = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": {"resourceVersion": "10"},
            "items": [meta("app", 5, Some("app")), meta("plain", 6, None)]});
        return Json(list).into_response();
    }
    let events = stream::unfold(events.subscribe(), |mut events| async move {
        let line = events.recv().await.ok()?;
        Some((Ok::<_, std::io::Error>(Bytes::from(line)), events))
    });
    Body::from_stream(events.boxed()).into_response()
}

/// Of ServiceAccounts that the list does not have, one exists and one cannot be read.
async fn one(UrlPath(name): UrlPath<String>) -> Response {
    match name.as_str() {
        "new" => Json(meta("new", 11, Some("new"))).into_response(),
        "broken" => StatusCode::FORBIDDEN.into_response(),
        _ => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                "reason": "NotFound", "message": "not found", "code": 404});
            (StatusCode::NOT_FOUND, Json(status)).into_response()
        }
    }
}

fn namespace_meta(name: &str, guard_rail: Option<&str>) -> Value {
    let annotations = guard_rail.map(|text| json!({"podrole.io/permitted-roles": text}));
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {
        "name": name, "resourceVersion": "3", "annotations": annotations}})
}

async fn namespaces(RawQuery(query): RawQuery) -> Response {
    if query.unwrap_or_default().contains("watch=true") {
        return Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
            .into_response();
    }
    let list = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
        "metadata": {"resourceVersion": "10"},
        "items": [namespace_meta("shop", Some("")), namespace_meta("free", None)]});
    Json(list).into_response()
}

/// Of namespaces that the list does not have, one exists.
async fn namespace(UrlPath(name): UrlPath<String>) -> Response {
    match name.as_str() {
        "new" => Json(namespace_meta("new", Some("*"))).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn api_server(events: Events) -> String {
    let routes = Router::new()
        .route("/api/v1/serviceaccounts", get(list))
        .route("/api/v1/namespaces", get(namespaces))
        .route("/api/v1/namespaces/{name}", get(namespace))
        .route(
            "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
            get(|| async { StatusCode::FORBIDDEN }),
        )
        .route("/api/v1/namespaces/shop/serviceaccounts/{name}", get(one))
        .with_state(events);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

async fn role_of(service_accounts: &impl ServiceAccounts, name: &str) -> String {
    let service_account = ServiceAccountRef::new("shop", name).unwrap();
    match service_accounts.find(&service_account, Duration::from_secs(5)).await {
        Ok(Some(annotations)) => {
            annotations.annotations.role.map_or("no role".into(), |role| role.name().to_owned())
        }
        Ok(None) => "missing".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// Waits until a condition holds, ten seconds at most.
async fn until(holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.expect("the condition did not hold in time");
}

#[tokio::test]
async fn the_list_the_watch_and_live_reads_agree() {
    podrole_runtime::crypto::install();
    let (events, _keep) = broadcast::channel(8);
    let url = api_server(events.clone()).await;
    let client = connect(None, Some(&url)).await.unwrap();
    let health = Health::default();
    let listed = Listed {
        service_accounts: health.gate("a"),
        namespaces: health.gate("n"),
        associations: None,
    };
    let shutdown = CancellationToken::new();
    let rules = AnnotationRules::default();
    let service_accounts = watch(client, rules, Metrics::default(), listed, None, shutdown);
    until(async || health.pending().is_empty()).await;
    let permits = |roles| NamespaceFacts {
        permitted: PermittedRoles::read(roles),
        ..NamespaceFacts::default()
    };
    for (namespace, guard_rail) in [
        ("shop", Ok(permits(Some("")))),
        ("free", Ok(permits(None))),
        ("new", Ok(permits(Some("*")))),
        ("broken", Err(LookupError::Namespace)),
    ] {
        let result = service_accounts.namespace_facts(namespace, Duration::from_secs(5)).await;
        assert_eq!(
            result.map(|it| it.permitted.clone()),
            guard_rail.map(|it| it.permitted),
            "{namespace}"
        );
    }
    for (name, role) in [("app", "app"), ("new", "new"), ("plain", "missing"), ("broken", "Failed")]
    {
        assert_eq!(role_of(&service_accounts, name).await, role);
    }
    // The first receiver is `_keep` above, the second the watch.
    until(async || events.receiver_count() > 1).await;
    let changed = json!({"type": "MODIFIED", "object": meta("app", 12, Some("changed"))});
    events.send(format!("{changed}\n")).unwrap();
    until(async || role_of(&service_accounts, "app").await == "changed").await;
    let gone = json!({"type": "DELETED", "object": meta("app", 13, Some("changed"))});
    events.send(format!("{gone}\n")).unwrap();
    until(async || role_of(&service_accounts, "app").await == "missing").await;
}

#[tokio::test]
async fn without_permission_to_list_configurations_the_monitor_logs_it_and_goes_on() {
    podrole_runtime::crypto::install();
    let (events, _keep) = broadcast::channel(8);
    let url = api_server(events).await;
    let client = connect(None, Some(&url)).await.unwrap();
    let error = registered(&client).await.unwrap_err();
    assert!(matches!(error, ListError::Forbidden), "{error}");
    assert!(error.to_string().contains("to list mutatingwebhookconfigurations"));
    let (metrics, timeout_of) = (Metrics::default(), RegisteredTimeout::default());
    let monitoring = monitor(&client, "podrole", &metrics, &timeout_of, None);
    assert!(timeout(Duration::from_millis(300), monitoring).await.is_err(), "it ended the process");
}

#[tokio::test]
async fn an_unusable_configuration_names_the_flag() {
    podrole_runtime::crypto::install();
    for (kubeconfig, url, word) in [
        (Some("/does/not/exist"), None, "--kubeconfig /does/not/exist"),
        (None, Some("10.0.0.1"), "like https://10.0.0.1:6443"),
    ] {
        let Err(error) = connect(kubeconfig.map(Path::new), url).await else {
            panic!("{kubeconfig:?} {url:?} was used");
        };
        assert!(error.to_string().contains(word), "{error}");
    }
}
