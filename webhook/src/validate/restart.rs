//! Whether a change reaches the pods that run already. What the webhook writes into a pod stays as it is: a pod takes part in
//! a change only if it is created again. Pure.

use podrole_identity::{INJECTION_LABEL, Injection};
use serde_json::Value;

use crate::{Outcome, Settings, binding::Binding, mutate::mutate, pod::PodView};

/// A pod with nothing of its own.
const PLAIN: &str = r#"{"metadata":{"name":"pod"},"spec":{"containers":[{"name":"app"}]}}"#;

/// The warning about a ServiceAccount's change, if a new pod gets something else than before. It compares what
/// a plain pod would get, so it holds for each annotation, and for a role by the provider `container`, which the agent
/// looks up at each request, it says nothing.
pub(super) fn of_service_account(
    before: &Binding,
    now: &Binding,
    settings: &Settings,
) -> Option<String> {
    let pod = PodView::read(PLAIN).ok()?;
    let added = |binding| match mutate(&pod, binding, settings, 0) {
        Outcome::Patch { operations, .. } => operations,
        _ => Vec::new(),
    };
    (added(before) != added(now)).then(|| advice(now.service_account.namespace()))
}

/// The warning about a Namespace whose pods are injected from now on.
pub(super) fn of_namespace(before: &Value, now: &Value) -> Option<String> {
    let injection = |namespace: &Value| {
        let label = namespace.get("metadata")?.get("labels")?.get(INJECTION_LABEL)?.as_str()?;
        Injection::of_namespace(Some(label))
    };
    let name = now.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    (injection(before).is_none() && injection(now).is_some()).then(|| advice(name))
}

fn advice(namespace: &str) -> String {
    format!(
        "running pods keep what they have; kubectl rollout restart deployment NAME -n {namespace}"
    )
}

#[cfg(test)]
mod tests;
