//! What only patterns have: ServiceAccounts by glob and label, a priority, and placeholders.

use anyhow::ensure;
use serde_json::json;

use super::{
    Kind, client,
    every_rule::{Row, field, spec},
    selection,
};

const BETWEEN: &str = "between {namespace} and {serviceAccount} there must be a character outside a-z, 0-9 and -, so that two \
     ServiceAccounts never give one text";

/// A role of an AWS account, by what follows `role/`.
fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = selection::service_account_rows();
    rows.extend([
        field("priority", "minimum", json!(0), json!(-1)),
        field("priority", "maximum", json!(1000), json!(1001)),
        spec(
            BETWEEN,
            json!({"roleARN": role("{namespace}/{serviceAccount}")}),
            json!({"roleARN": role("{namespace}-{serviceAccount}")}),
        ),
    ]);
    rows
}

#[tokio::test]
async fn placeholders_are_the_two_and_have_a_border_between_them() -> anyhow::Result<()> {
    let client = client().await?;
    let refused = |part: &'static str| Err(part);
    for (text, expected) in [
        ("{namespace}", Ok(())),
        ("{serviceAccount}", Ok(())),
        ("{namespace}.{serviceAccount}", Ok(())),
        ("{serviceAccount}/x/{namespace}", Ok(())),
        ("{namespace}_{namespace}-{namespace}", Ok(())),
        ("{namespace}{serviceAccount}", refused(BETWEEN)),
        ("{serviceAccount}-0-{namespace}", refused(BETWEEN)),
        ("{namespace}/{serviceAccount}{namespace}", refused(BETWEEN)),
        ("{serviceaccount}", refused("spec.roleARN in body should match")),
        ("{pod.name}", refused("spec.roleARN in body should match")),
        ("{namespace", refused("spec.roleARN in body should match")),
        ("a:b", Ok(())), // judged after the expansion: BadRole
    ] {
        let verdict =
            Kind::Pattern.verdict(&client, &json!({"spec": {"roleARN": role(text)}})).await?;
        match (verdict, expected) {
            (Ok(_), Ok(())) => {}
            (Err(message), Err(part)) => ensure!(message.contains(part), "{text}: {message}"),
            (verdict, _) => anyhow::bail!("{text}: {verdict:?}"),
        }
    }
    let account = json!({"spec": {"roleARN": "arn:aws:iam::{namespace}:role/app"}});
    ensure!(Kind::Pattern.verdict(&client, &account).await?.is_err(), "an account by namespace");
    for field in ["targetRoleARN", "externalID"] {
        let text = if field == "externalID" {
            "{namespace}-{serviceAccount}".to_owned()
        } else {
            role("{namespace}-{serviceAccount}")
        };
        let mut spec = json!({"targetRoleARN": role("target")});
        spec[field] = text.into();
        let message = Kind::Pattern.verdict(&client, &json!({"spec": spec})).await?.unwrap_err();
        ensure!(message.contains(BETWEEN), "{field}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn the_defaults_are_those_of_the_schema() -> anyhow::Result<()> {
    let client = client().await?;
    let stored = Kind::Pattern.verdict(&client, &json!({})).await?.map_err(anyhow::Error::msg)?;
    let spec = &stored.data["spec"];
    ensure!(spec["priority"] == 100 && spec["serviceAccounts"] == json!(["*"]), "{spec}");
    ensure!(spec["disableSessionTags"] == false && spec["podTags"].is_null(), "{spec}");
    Ok(())
}
