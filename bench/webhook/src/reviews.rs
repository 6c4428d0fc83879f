//! The AdmissionReviews that are sent.

use hyper::body::Bytes;
use serde_json::{Value, json};

/// A kind of pod.
#[derive(Clone, Copy)]
pub(crate) enum Review {
    /// The ServiceAccount has no role, as of most pods in most clusters.
    NothingToDo,
    /// One container that is injected.
    OneContainer,
    /// 40 containers and 100 kB of pod.
    Large,
}

impl Review {
    pub(crate) const ALL: [Self; 3] = [Self::NothingToDo, Self::OneContainer, Self::Large];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NothingToDo => "nothing to do",
            Self::OneContainer => "one container",
            Self::Large => "40 containers",
        }
    }

    /// Whether the response must have a patch.
    pub(crate) fn patched(self) -> bool {
        !matches!(self, Self::NothingToDo)
    }

    pub(crate) fn body(self) -> Bytes {
        match self {
            Self::NothingToDo => body("plain-1", 2, 100),
            Self::OneContainer => body("role-0", 1, 100),
            Self::Large => body("role-0", 40, 2400),
        }
    }
}

/// The review of a pod of `service_account`. Each container has `filling` bytes of arguments.
pub(crate) fn body(service_account: &str, containers: usize, filling: usize) -> Bytes {
    let container = |index: usize| {
        json!({
            "name": format!("c{index}"),
            "image": "example.org/team/app:1.2.3",
            "command": ["run", "x".repeat(filling)],
            "env": [{"name": "MODE", "value": "fast"}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
            "volumeMounts": [{"name": "api", "mountPath": "/var/run/api", "readOnly": true}],
        })
    };
    let containers: Vec<Value> = (0..containers).map(container).collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "app-", "namespace": "bench", "labels": {"app": "app"}},
        "spec": {
            "serviceAccountName": service_account,
            "containers": containers,
            "volumes": [{"name": "api", "emptyDir": {}}],
        },
    });
    let review = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "b5c1a1a0-6a4f-4e42-9d35-4b8f6a1f2c11",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "bench",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
        },
    });
    review.to_string().into()
}
