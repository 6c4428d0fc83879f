//! What `fuzz/` runs on any bytes: reviews, and pods with any annotations. A broken rule is a panic.
#![allow(clippy::unwrap_used, reason = "a broken rule is a panic")]

mod extension;

use podrole_identity::{AnnotationRules, Annotations, Injection};
use serde_json::{Value, json};

use crate::{
    DEFAULT_PATIENCE, InMemory, Metrics, Settings, Webhook, review::BadReview, review::Response,
    review::Review, review_bytes, validate_bytes,
};

/// A review as an API server sends it. One that is accepted has a uid, and the answer repeats it.
pub fn review(body: &[u8]) {
    let webhook = webhook(Annotations::new());
    let reviewing = review_bytes(&webhook, Injection::Required, DEFAULT_PATIENCE, body);
    let answer = block_on(reviewing);
    match Review::read(body) {
        Ok(review) => {
            let uid = answer.unwrap().response.uid;
            assert!(!uid.is_empty() && uid == review.request.uid);
        }
        Err(BadReview::Answerable { uid, .. }) => assert_eq!(uid, answer.unwrap().response.uid),
        Err(BadReview::Unanswerable) => assert!(answer.is_err()),
    }
    let _ = block_on(validate_bytes(&webhook, DEFAULT_PATIENCE, body));
}

/// A ServiceAccount's annotations in the first line, and a pod after it. The patch applies, adds only what is ours, and
/// leaves nothing to add.
pub fn mutate(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let annotations = serde_json::from_slice(lines.next().unwrap_or_default());
    let pod = serde_json::from_slice(lines.next().unwrap_or_default());
    if let (Ok(annotations), Ok(pod)) = (annotations, pod) {
        patch_adds_only_ours(annotations, &pod);
    }
}

fn patch_adds_only_ours(annotations: Annotations, before: &Value) {
    let webhook = webhook(annotations);
    let first = created(&webhook, before);
    assert!(first.allowed);
    for warning in &first.warnings {
        assert!(warning.chars().count() <= 120 && !warning.chars().any(char::is_control));
    }
    let mut after = before.clone();
    json_patch::patch(&mut after, &first.operations().unwrap()).unwrap();
    extension::check(before, &after);
    let second = created(&webhook, &after);
    assert_eq!(second.patch, None, "a second review has more to add to {after}");
}

fn created(webhook: &Webhook<InMemory>, pod: &Value) -> Response {
    let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": "u", "namespace": "shop", "operation": "CREATE", "object": pod,
            "kind": {"group": "", "version": "v1", "kind": "Pod"}}})
    .to_string();
    let reviewing = review_bytes(webhook, Injection::Enabled, DEFAULT_PATIENCE, body.as_bytes());
    block_on(reviewing).unwrap().response
}

/// A webhook whose ServiceAccount `shop/app` has these annotations.
pub(crate) fn webhook(annotations: Annotations) -> Webhook<InMemory> {
    let annotations = AnnotationRules::default().read(annotations);
    let service_accounts = [("shop/app".parse().unwrap(), annotations)].into_iter().collect();
    Webhook::new(service_accounts, Settings::default(), Metrics::default())
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[cfg(test)]
mod tests {
    type Target = fn(&[u8]);

    /// The seeds of `fuzz/`, so that they stay what they are for.
    #[test]
    fn every_seed_keeps_the_rules() {
        let targets: [(&str, Target); 2] = [("review", super::review), ("mutate", super::mutate)];
        for (name, target) in targets {
            let seeds = format!("{}/../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            for seed in std::fs::read_dir(seeds).unwrap() {
                target(&std::fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}
