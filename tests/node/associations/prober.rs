//! A pod with one process that asks AWS twice a second, with a new boto3 session each time.

use std::{fmt, time::Duration};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use podrole_runtime::clock;
use serde::Deserialize;
use tokio::time::sleep;

use super::WITHIN;
use crate::{
    pods::{container, pod},
    stage::Stage,
};

const NAME: &str = "prober";
/// A new session each time, because a session keeps its credentials until shortly before they expire.
const PROGRAM: &str = r#"
import json, time, boto3
while True:
    line = {"begun": time.time()}
    try:
        session = boto3.Session()
        line["arn"] = session.client("sts").get_caller_identity()["Arn"]
        line["key"] = session.get_credentials().access_key
    except Exception as error:
        line["error"] = f"{type(error).__name__}: {error}"
    line["ended"] = time.time()
    print(json.dumps(line), flush=True)
    time.sleep(max(0, line["begun"] + 0.5 - time.time()))
"#;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How much longer than the limit is waited, so that a late change is reported with its time.
const PATIENCE: f64 = 30.0;

/// One attempt of the process. The times are in seconds since 1970.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Attempt {
    begun: f64,
    ended: f64,
    arn: Option<String>,
    key: Option<String>,
    error: Option<String>,
}

impl Attempt {
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn has_role(&self, role: &str) -> bool {
        let wanted = format!(":assumed-role/{role}/");
        self.arn.as_deref().is_some_and(|arn| arn.contains(&wanted))
    }
}

/// An error of the process after a change. The times are in seconds from the beginning of the change.
pub(super) struct Failed {
    /// When the attempt began.
    after: f64,
    /// When boto3 raised the error: it asks three times, with a second between.
    raised: f64,
    error: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, raised, error } = self;
        write!(f, "{after:.1} s (boto3 raised it after {raised:.1} s): {error}")
    }
}

pub(super) struct Prober<'a> {
    stage: &'a Stage,
    namespace: &'a str,
    /// How many attempts were looked at.
    seen: usize,
}

impl<'a> Prober<'a> {
    pub(super) async fn start(
        stage: &'a Stage,
        namespace: &'a str,
        service_account: &str,
    ) -> anyhow::Result<Self> {
        let containers = [container(NAME, "python", &["python3", "-c", PROGRAM])];
        stage.create::<Pod>(namespace, pod(NAME, service_account, &containers)).await?;
        stage.until_ready(namespace, NAME, 60).await?;
        Ok(Self { stage, namespace, seen: 0 })
    }

    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let pods = self.stage.api::<Pod>(self.namespace);
        pods.delete(NAME, &DeleteParams::default()).await?;
        Ok(())
    }

    pub(super) async fn restarts(&self) -> anyhow::Result<i32> {
        let pod = self.stage.api::<Pod>(self.namespace).get(NAME).await?;
        let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
        Ok(statuses.iter().map(|status| status.restart_count).sum())
    }

    /// The next attempt that is `wanted`, from those that were not looked at.
    pub(super) async fn until(
        &mut self,
        what: &str,
        seconds: f64,
        wanted: impl Fn(&Attempt) -> bool,
    ) -> anyhow::Result<Attempt> {
        let begun = now();
        let mut last = None;
        while now() - begun < seconds {
            for attempt in self.attempts().await?.into_iter().skip(self.seen) {
                self.seen += 1;
                if wanted(&attempt) {
                    return Ok(attempt);
                }
                last = Some(attempt);
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("waited {seconds} s for {what}; the last attempt: {last:?}")
    }

    async fn attempts(&self) -> anyhow::Result<Vec<Attempt>> {
        let log = self.stage.log(self.namespace, NAME, NAME).await?;
        // The last line may not be complete.
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Makes a change; returns the seconds from its beginning until the process had the role.
    pub(super) async fn role_after(
        &mut self,
        role: &str,
        change: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<f64> {
        let begun = self.change(change).await?;
        let attempt = self.until(role, PATIENCE, |attempt| attempt.has_role(role)).await?;
        in_time(role, attempt.ended - begun)
    }

    /// Makes a change and waits until an attempt began that failed with these words.
    pub(super) async fn error_after(
        &mut self,
        words: &[&str],
        change: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<Failed> {
        let begun = self.change(change).await?;
        let (what, wanted) = (words.join(" and "), |attempt: &Attempt| {
            attempt.error().is_some_and(|error| words.iter().all(|word| error.contains(word)))
        });
        let attempt = self.until(&what, PATIENCE, wanted).await?;
        // An attempt that began before the change may have failed too, because boto3 asks three times.
        let after = in_time(&what, (attempt.begun - begun).max(0.0))?;
        let error = attempt.error.unwrap_or_default();
        Ok(Failed { after, raised: attempt.ended - begun, error })
    }

    /// An access key that has not changed for three seconds, and so is no reaction to what was before.
    pub(super) async fn settled_key(&mut self) -> anyhow::Result<String> {
        let (mut key, mut since) = (None, now());
        while now() - since < 3.0 {
            let next = self.until("an access key", PATIENCE, |it| it.key.is_some()).await?;
            if next.key != key {
                (key, since) = (next.key, now());
            }
        }
        key.context("no access key")
    }

    /// Makes a change; returns the seconds until the process had another access key than `key`.
    pub(super) async fn other_key_after(
        &mut self,
        key: &str,
        change: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<f64> {
        let begun = self.change(change).await?;
        let other = |attempt: &Attempt| attempt.key.as_deref().is_some_and(|it| it != key);
        let attempt = self.until("another access key", PATIENCE, other).await?;
        in_time("another access key", attempt.ended - begun)
    }

    async fn change(
        &mut self,
        change: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<f64> {
        self.seen = self.attempts().await?.len();
        let begun = now();
        change.await?;
        Ok(begun)
    }
}

fn in_time(what: &str, seconds: f64) -> anyhow::Result<f64> {
    ensure!(seconds <= WITHIN, "{what}: {seconds:.1} s after the change instead of {WITHIN} s");
    Ok(seconds)
}

fn now() -> f64 {
    clock::now().duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}
