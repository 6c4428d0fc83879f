//! From a verdict to the object's `status`, and back to what of it matters. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::verdict::{Found, Verdict};

/// The longest message that a condition may have.
const MAX_MESSAGE: usize = 32_768;

/// What of a status matters, hashed: everything but times and what others wrote. Two hundred thousand
/// of them are kept.
pub(super) fn digest_of(status: &Value) -> u64 {
    let condition = |name: &str| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().find(|it| it["type"] == name).map(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            (text("status"), text("reason"), text("message"), it["observedGeneration"].as_i64())
        })
    };
    let mut hasher = DefaultHasher::new();
    ["Accepted", "Ready", "ServiceAccountFound"].map(condition).hash(&mut hasher);
    status["externalID"].as_str().hash(&mut hasher);
    status["observedGeneration"].as_i64().hash(&mut hasher);
    hasher.finish()
}

/// The status that a verdict asks for. A condition keeps the time of its last transition while its
/// status stays.
pub(super) fn status(verdict: &Verdict, generation: i64, before: &Value, now: Timestamp) -> Value {
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        let status = if holds { "True" } else { "False" };
        let known = before["conditions"].as_array().into_iter().flatten();
        let known = known.into_iter().find(|it| it["type"] == kind && it["status"] == status);
        let since = known.and_then(|it| it["lastTransitionTime"].as_str());
        let since = since.map_or_else(|| format!("{now:.0}"), str::to_owned);
        let message: String = message.chars().take(MAX_MESSAGE).collect();
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "observedGeneration": generation, "lastTransitionTime": since})
    };
    let Verdict { accepted, reason, message, external_id, service_account_found } = verdict;
    let mut conditions = vec![
        condition("Accepted", *accepted, reason, message),
        // Helm, Argo CD and Flux wait for this one.
        condition("Ready", *accepted, reason, message),
    ];
    conditions.extend(service_account_found.map(|found| {
        let (reason, message) = match found {
            Found::Yes => ("Found", "the ServiceAccount exists"),
            Found::No => {
                ("NotFound", "the ServiceAccount does not exist; create it, or correct the name")
            }
            Found::NoNamespace => (
                "NotFound",
                "the namespace does not exist, and a user who creates it gets the role; delete the \
                 association if it is not needed any more",
            ),
        };
        condition("ServiceAccountFound", found == Found::Yes, reason, message)
    }));
    let mut status = json!({"observedGeneration": generation, "conditions": conditions});
    if let Some(external_id) = external_id {
        status["externalID"] = external_id.as_str().into();
    }
    status
}

/// Whether `Accepted` changes between two statuses: what an Event is written for.
pub(super) fn acceptance_changes(before: &Value, after: &Value) -> bool {
    let accepted = |status: &Value| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let found = conditions.into_iter().find(|it| it["type"] == "Accepted")?;
        Some((found["status"].clone(), found["reason"].clone()))
    };
    accepted(before) != accepted(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(accepted: bool) -> Verdict {
        Verdict {
            accepted,
            reason: if accepted { "Valid" } else { "NotPermitted" },
            message: "why".to_owned(),
            external_id: Some("mine".to_owned()),
            service_account_found: Some(Found::Yes),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_status_has_three_conditions_and_keeps_the_time_of_their_change() {
        let first = status(&verdict(true), 1, &Value::Null, at(0));
        let again = status(&verdict(true), 2, &first, at(60));
        let refused = status(&verdict(false), 2, &again, at(90));
        let time = |status: &Value, index: usize| {
            status["conditions"][index]["lastTransitionTime"].as_str().unwrap().to_owned()
        };
        assert_eq!(first["conditions"].as_array().unwrap().len(), 3);
        assert_eq!(time(&again, 0), "1970-01-01T00:00:00Z");
        assert_eq!(time(&refused, 0), "1970-01-01T00:01:30Z");
        assert_eq!(time(&refused, 2), "1970-01-01T00:00:00Z", "the ServiceAccount's is its own");
        assert_eq!(refused["conditions"][1]["type"], "Ready");
        assert_eq!(again["observedGeneration"], 2);
        assert!(acceptance_changes(&again, &refused) && !acceptance_changes(&first, &again));
    }

    #[test]
    fn what_matters_is_compared_without_times_and_others_conditions() {
        let ours = status(&verdict(true), 1, &Value::Null, at(0));
        let mut other = status(&verdict(true), 1, &Value::Null, at(99));
        other["conditions"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "Theirs", "status": "True"}));
        assert_eq!(digest_of(&ours), digest_of(&other));
        for (pointer, value) in [
            ("/conditions/0/message", json!("edited by hand")),
            ("/conditions/1/status", json!("False")),
            ("/externalID", json!("another")),
            ("/observedGeneration", json!(2)),
        ] {
            let mut edited = ours.clone();
            *edited.pointer_mut(pointer).unwrap() = value;
            assert_ne!(digest_of(&ours), digest_of(&edited), "{pointer}");
        }
    }
}
