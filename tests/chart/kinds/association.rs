//! What only associations have: the ServiceAccount, and the rule about the object's name.

use anyhow::{Context as _, ensure};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::{
    Kind, client,
    every_rule::{Row, field},
    role::long,
};

/// What the API server writes of `metadata.name`, in the association of the ServiceAccount `app` in `shop`.
pub(super) const NAME_RULE: &str =
    "metadata.name must be shop.app, because there is one association for each ServiceAccount";

pub(super) fn rows() -> Vec<Row> {
    let service_account = |rule: &'static str, accepted: usize, refused: usize| {
        let spec = |length| json!({"spec": {"namespace": "n", "serviceAccount": long(length)}});
        let path = "spec.serviceAccount".to_owned();
        Row { path, rule, accepted: spec(accepted), refused: spec(refused) }
    };
    let named = |name: &str| json!({"metadata": {"name": name}});
    vec![
        field("namespace", "required", json!("shop"), json!(null)),
        field("namespace", "minLength", json!("s"), json!("")),
        field("namespace", "maxLength", long(63), long(64)),
        field("namespace", "pattern", json!("shop-1"), json!("shop.a")),
        field("serviceAccount", "required", json!("app"), json!(null)),
        service_account("minLength", 1, 0),
        service_account("maxLength", 251, 252),
        field("serviceAccount", "pattern", json!("app.v1-2"), json!("app-")),
        Row {
            path: String::new(),
            rule: NAME_RULE,
            accepted: named("shop.app"),
            refused: named("prod-shop.app"),
        },
    ]
}

/// A status says what was decided about one ServiceAccount, and sessions have its name.
#[tokio::test]
async fn the_service_account_of_an_association_cannot_change() -> anyhow::Result<()> {
    let client = client().await?;
    let api = Kind::Association.api(&client);
    let named = json!({"spec": {"namespace": "fixed"}});
    let mut stored = api.create(&PostParams::default(), &Kind::Association.object(&named)?).await?;
    stored.data["spec"]["durationSeconds"] = 900.into();
    let mut stored = api.replace("fixed.app", &PostParams::default(), &stored).await?;
    for field in ["namespace", "serviceAccount"] {
        let before = stored.data["spec"][field].take();
        stored.data["spec"][field] = "other".into();
        let refused = api.replace("fixed.app", &PostParams::default(), &stored).await;
        let message = refused.err().context(field)?.to_string();
        let rule = "namespace and serviceAccount cannot change; create another association";
        ensure!(message.contains(rule), "{message}");
        stored.data["spec"][field] = before;
    }
    api.delete("fixed.app", &DeleteParams::default()).await?;
    Ok(())
}

/// With a namespace and a ServiceAccount of more than 252 characters, the object has no name: a pattern is for those.
#[tokio::test]
async fn a_name_that_is_too_long_is_refused() -> anyhow::Result<()> {
    let client = client().await?;
    let of = |length| json!({"spec": {"namespace": long(63), "serviceAccount": long(length)}});
    let accepted = Kind::Association.verdict(&client, &of(189)).await?;
    ensure!(accepted.is_ok(), "{accepted:?}");
    let message = Kind::Association.verdict(&client, &of(190)).await?.unwrap_err();
    ensure!(message.contains("metadata.name"), "{message}");
    Ok(())
}
