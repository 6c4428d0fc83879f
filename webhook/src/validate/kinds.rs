//! Warnings at `kubectl apply` of podrole's own kinds: what the API server's schema cannot see.

use std::time::Duration;

use podrole_identity::{Association, Exchange, Guardrails, Kind, RawObject, denial_of_pattern};
use serde_json::Value;
use tokio::time::Instant;

use crate::{ServiceAccounts, Webhook};

/// What is wrong with the object, or has no effect.
pub(super) async fn check<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    kind: Kind,
    object: &Value,
    patience: Duration,
) -> Vec<String> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let raw = || [RawObject { name, created: None, spec }];
    let mut warnings: Vec<String> = match kind {
        Kind::Association => association(webhook, name, spec, patience).await.into_iter().collect(),
        Kind::Pattern => {
            let denial = denial_of_pattern(name, spec, &webhook.settings().rules);
            denial.map(|denial| denial.summary()).into_iter().collect()
        }
        Kind::Guardrail => Guardrails::read(raw()).unreadable().map(ToString::to_string).collect(),
    };
    let rules = &webhook.settings().rules;
    if kind != Kind::Guardrail && rules.exchange == Exchange::EksAuth {
        warnings.push(
            "with exchange eks-auth EKS chooses the role; this chooses the provider only"
                .to_owned(),
        );
    }
    warnings
}

/// The denial of the ServiceAccount's pods, once the object is stored.
async fn association<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    name: &str,
    spec: &Value,
    patience: Duration,
) -> Option<String> {
    let read = Association::read_object(name, spec);
    let service_account = Association::service_account_of(name)?;
    let begun = Instant::now();
    // The ServiceAccount may be applied later: then what it says is not known, and not needed.
    let found = webhook.service_accounts().find(&service_account, patience).await.ok().flatten();
    let left = patience.saturating_sub(begun.elapsed());
    let found = found.unwrap_or_default();
    let binding = webhook.bind_associated(&service_account, found, Some(read), left).await.ok()?;
    binding.grant.err().map(|denial| denial.summary())
}
