//! The status, which is a subresource: a change of the spec cannot write it, and a list of conditions has one of each type.

use anyhow::ensure;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{Kind, client};

fn condition(of: &str, status: &str) -> Value {
    json!({"type": of, "status": status, "reason": "Valid", "message": "",
        "lastTransitionTime": "2026-01-31T12:00:00Z"})
}

/// What the API server says of this status, or nothing if it is stored.
async fn refusal(api: &Api<DynamicObject>, name: &str, status: Value) -> anyhow::Result<String> {
    let patch = json!({"status": status});
    let patched = api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    match patched {
        Ok(_) => Ok(String::new()),
        Err(kube::Error::Api(status)) => Ok(status.message),
        Err(error) => Err(error.into()),
    }
}

#[tokio::test]
async fn the_status_of_each_kind_is_one_of_conditions() -> anyhow::Result<()> {
    let client = client().await?;
    let conditions = |count: usize| -> Value {
        (0..count).map(|number| condition(&format!("C{number}"), "True")).collect::<Vec<_>>().into()
    };
    for kind in Kind::ALL {
        let api = kind.api(&client);
        let mut object = kind.object(&json!({"spec": {"namespace": "status"}}))?;
        object.data["status"] = json!({"observedGeneration": 7});
        let stored = api.create(&PostParams::default(), &object).await?;
        let status = &stored.data["status"];
        ensure!(status["observedGeneration"].is_null(), "{kind:?}: a creation wrote the status");
        // kstatus takes an object without conditions for ready.
        for (index, of) in ["Accepted", "Ready"].into_iter().enumerate() {
            let condition = &status["conditions"][index];
            ensure!(condition["type"] == of && condition["status"] == "Unknown", "{status}");
            ensure!(condition["reason"] == "Pending", "{status}");
        }
        let name = stored.metadata.name.unwrap_or_default();
        let without = |field: &str| {
            let mut condition = condition("Accepted", "True");
            condition[field].take();
            json!([condition])
        };
        for (status, part) in [
            (
                json!({"observedGeneration": 1, "externalID": "a/b", "conditions": conditions(8)}),
                "",
            ),
            (json!({"conditions": [condition("Accepted", "Unknown")]}), ""),
            (json!({"conditions": conditions(9)}), "conditions: Too many: 9: must have at most 8"),
            (
                json!({"conditions": [condition("A", "True"), condition("A", "True")]}),
                "Duplicate value",
            ),
            (json!({"conditions": [condition("Accepted", "Yes")]}), "Unsupported value: \"Yes\""),
            (json!({"conditions": [condition("", "True")]}), "conditions[0].type"),
            (json!({"conditions": without("type")}), "conditions[0].type: Required value"),
            (json!({"conditions": without("reason")}), "conditions[0].reason: Required value"),
            (json!({"conditions": without("message")}), "conditions[0].message: Required value"),
            (
                json!({"conditions": without("lastTransitionTime")}),
                "lastTransitionTime: Required value",
            ),
            (json!({"externalID": "a".repeat(1225)}), "externalID: Too long"),
            (json!({"observedGeneration": "1"}), "observedGeneration"),
        ] {
            let refusal = refusal(&api, &name, status.clone()).await?;
            let is_as_expected =
                if part.is_empty() { refusal.is_empty() } else { refusal.contains(part) };
            ensure!(is_as_expected, "{kind:?} {refusal:?}: {status}");
        }
        // A status that says nothing new does not make the spec another generation.
        let after = api.get(&name).await?;
        ensure!(after.metadata.generation == stored.metadata.generation, "{kind:?}");
        api.delete(&name, &DeleteParams::default()).await?;
    }
    Ok(())
}
