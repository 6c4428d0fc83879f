//! The eviction.

use k8s_openapi::{
    api::policy::v1::Eviction,
    apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions},
};
use kube::{Api, Client, api::PostParams, core::Status};
use podrole_runtime::error_text::with_root;
use tokio::time::timeout;

use super::{plan::SeenPod, pods::Pod};
use crate::controller::request::PATIENCE;

/// What became of an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Evicted {
    Done,
    /// A PodDisruptionBudget does not permit it now.
    Refused,
    /// The pod has ended meanwhile.
    Gone,
    /// The API server does not do it, and says why.
    Failed(String),
    /// There is no answer, so that it may have been done.
    Unanswered(String),
}

/// Evicts this very pod, and not one that has taken its name.
pub(super) async fn evict(client: &Client, namespace: &str, pod: &SeenPod) -> Evicted {
    let eviction = Eviction {
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions {
                uid: Some(pod.uid.clone()),
                ..Preconditions::default()
            }),
            ..DeleteOptions::default()
        }),
        metadata: ObjectMeta {
            name: Some(pod.name.clone()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
    };
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let params = PostParams::default();
    let request = api.create_subresource::<_, Status>("eviction", &pod.name, &params, &eviction);
    match timeout(PATIENCE, request).await {
        Ok(Ok(_)) => Evicted::Done,
        Ok(Err(kube::Error::Api(status))) => of_status(&status),
        Ok(Err(error)) => Evicted::Unanswered(with_root(&error)),
        Err(_) => Evicted::Unanswered("no answer within 5 s".to_owned()),
    }
}

fn of_status(status: &Status) -> Evicted {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let by_budget = causes.into_iter().any(|cause| cause.reason == "DisruptionBudget");
    match status.code {
        429 if by_budget => Evicted::Refused,
        // 409: the name belongs to another pod by now.
        404 | 409 => Evicted::Gone,
        code => Evicted::Failed(format!("{code}: {}", status.message)),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::{super::plan::Owner, *};

    /// What becomes of an eviction that the API server answers so, and what was sent.
    async fn answered(code: u16, answer: Value) -> (Evicted, String, Value) {
        let (send, mut sent) = tokio::sync::mpsc::unbounded_channel();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (send, answer) = (send.clone(), answer.to_string());
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect_bytes().await.unwrap();
                send.send((path, serde_json::from_slice::<Value>(&body).unwrap())).unwrap();
                let answer = Response::builder().status(code).body(Body::from(answer.into_bytes()));
                Ok::<_, std::convert::Infallible>(answer.unwrap())
            }
        });
        let pod = SeenPod {
            name: "db-0".to_owned(),
            uid: "of-this-pod".to_owned(),
            ready: true,
            missed: true,
            judged: true,
            evictable: true,
            owner: Owner { kind: "StatefulSet", name: "db".to_owned(), uid: "2".to_owned() },
        };
        let evicted = evict(&Client::new(service, "default"), "shop", &pod).await;
        let (path, body) = sent.recv().await.unwrap();
        (evicted, path, body)
    }

    fn status(code: u16, details: &Value) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "message": "no", "reason": "", "details": details})
    }

    #[tokio::test]
    async fn only_the_pod_of_this_uid_is_evicted() {
        let done = json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201});
        let (evicted, path, body) = answered(201, done).await;
        assert_eq!(evicted, Evicted::Done);
        assert_eq!(path, "/api/v1/namespaces/shop/pods/db-0/eviction");
        assert_eq!(body["kind"], "Eviction");
        assert_eq!(body["deleteOptions"], json!({"preconditions": {"uid": "of-this-pod"}}));
    }

    #[tokio::test]
    async fn an_answer_that_is_no_budgets_refusal_is_not_called_one() {
        let budget = json!({"causes": [{"reason": "DisruptionBudget", "message": "app"}]});
        assert_eq!(answered(429, status(429, &budget)).await.0, Evicted::Refused);
        let busy = answered(429, status(429, &json!({"retryAfterSeconds": 1}))).await.0;
        assert_eq!(busy, Evicted::Failed("429: no".to_owned()));
        assert_eq!(answered(409, status(409, &json!({}))).await.0, Evicted::Gone);
        assert_eq!(answered(404, status(404, &json!({}))).await.0, Evicted::Gone);
        let forbidden = answered(403, status(403, &json!({}))).await.0;
        assert_eq!(forbidden, Evicted::Failed("403: no".to_owned()));
    }
}
