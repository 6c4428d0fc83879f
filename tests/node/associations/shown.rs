//! What `kubectl` shows of an association.

use anyhow::ensure;

use crate::{report::Seen, stage, stage::Stage};

/// `kubectl get pia` says `True` and `Valid`.
pub(super) async fn accepted(stage: &Stage, role: &str) -> anyhow::Result<()> {
    row(stage, role, &["True", "Valid"]).await.map(drop)
}

/// `kubectl get pia` has the reason, and `kubectl describe pia` the sentence and an Event.
pub(super) async fn refused(stage: &Stage, role: &str) -> Seen {
    let row = row(stage, role, &["False", "NotPermitted"]).await?;
    let described = stage.kubectl(&["describe", "pia", "associations.app"]).await?;
    let message = described.lines().find(|line| {
        line.trim_start().starts_with("Message:") && line.contains("PodIdentityGuardrail")
    });
    ensure!(message.is_some(), "`kubectl describe pia` has no sentence:\n{described}");
    let events = described.split_once("Events:").map_or("", |(_, events)| events);
    ensure!(events.contains("NotPermitted"), "`kubectl describe pia` has no Event:\n{described}");
    Ok(format!(
        "kubectl get pia: {row}\n    kubectl describe pia: {}",
        message.unwrap_or("").trim()
    ))
}

/// The association's line, once it has these words.
async fn row(stage: &Stage, role: &str, words: &[&str]) -> Seen {
    let get = ["get", "pia", "associations.app", "--no-headers"];
    let look = async || {
        let row = stage.kubectl(&get).await?;
        let columns: Vec<_> = row.split_whitespace().map(str::to_owned).collect();
        ensure!(columns.iter().any(|column| column.ends_with(&format!("/{role}"))), "{row}");
        let holds = words.iter().all(|word| columns.iter().any(|column| column == word));
        ensure!(holds, "{row}");
        Ok(columns.join(" "))
    };
    stage::until(&format!("status {}", words.join(" ")), 15, async || look().await.map(|_| true))
        .await?;
    look().await
}
