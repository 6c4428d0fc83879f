//! Replaced under load: no pod notices.

use crate::{
    install,
    load::{Asker, pods_meanwhile},
    report::Seen,
    stage::{AGENT, AGENT_NAMESPACE, NAMESPACE, Stage, WEBHOOK},
};

/// A namespace whose ServiceAccount `app` has a role of its own.
async fn prepared(stage: &Stage, namespace: &str) -> anyhow::Result<()> {
    let role = format!("arn:aws:iam::111122223333:role/{namespace}");
    let annotations =
        [("eks.amazonaws.com/role-arn", role.as_str()), ("podrole.io/credentials", "container")];
    stage.namespace(namespace, Some("enabled")).await?;
    stage.service_account(namespace, "app", &annotations).await?;
    stage.until_injected(namespace, "app").await
}

/// The agent replaced while a pod asks it 200 times a second on new connections.
pub(crate) async fn agent(stage: &Stage) -> Seen {
    prepared(stage, "upgrade-agent").await?;
    let asker = Asker::start(stage, "upgrade-agent").await?;
    stage.restarted(AGENT_NAMESPACE, AGENT).await?;
    let (answers, slowest) = asker.stop().await?;
    Ok(format!(
        "{answers} of {answers} answers on new connections were 200 while the DaemonSet was replaced; the slowest took {slowest} ms"
    ))
}

/// The webhook replaced while 20 pods a second are made.
pub(crate) async fn webhook(stage: &Stage) -> Seen {
    prepared(stage, "upgrade-webhook").await?;
    let ((), made) =
        pods_meanwhile(stage, "upgrade-webhook", stage.restarted(NAMESPACE, WEBHOOK)).await?;
    made.none_missed()?;
    Ok(format!(
        "{} of {} pods injected while the Deployment was replaced",
        made.injected, made.injected
    ))
}

/// `helm upgrade` to other values, under both loads.
pub(crate) async fn helm(stage: &Stage) -> Seen {
    prepared(stage, "upgrade-helm").await?;
    let asker = Asker::start(stage, "upgrade-helm").await?;
    let ((), made) = pods_meanwhile(stage, "upgrade-helm", install::upgraded(stage)).await?;
    made.none_missed()?;
    let (answers, _) = asker.stop().await?;
    Ok(format!(
        "{} of {} pods injected, {answers} of {answers} answers were 200",
        made.injected, made.injected
    ))
}
