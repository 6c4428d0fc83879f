//! The kubelet writes a new token before the old one ends: an SDK that runs through it never fails.

use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::{
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::Stage,
};

/// Tokens live 600 s, Kubernetes's least, and the kubelet renews them at 80 %: beyond 600 s no call is signed with the first.
const SECONDS: u64 = 660;
const WAYS: [(&str, &str); 2] = [("web", "web-identity"), ("container", "container")];

const SDKS: [(&str, &str); 2] = [("boto3", "python"), ("go-v2", "go")];

/// When the pods were up, and what stands for the token that each had.
pub(crate) struct Begun {
    at: Instant,
    tokens: Vec<String>,
}

impl std::fmt::Display for Begun {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} pods with {} SDKs each ask once a second, for {SECONDS} s",
            self.tokens.len(),
            SDKS.len()
        )
    }
}

/// Starts the pods, each with two SDKs that ask who they are every second.
pub(crate) async fn start(stage: &Stage) -> anyhow::Result<Begun> {
    stage.namespace("rotation", Some("enabled")).await?;
    for (name, way) in WAYS {
        let role = format!("arn:aws:iam::111122223333:role/rotation-{name}");
        let annotations = [
            ("eks.amazonaws.com/role-arn", role.as_str()),
            ("eks.amazonaws.com/token-expiration", "600"),
            ("podrole.io/credentials", way),
        ];
        stage.service_account("rotation", name, &annotations).await?;
        stage.until_injected("rotation", name).await?;
        sdks::with_ca(stage, "rotation").await?;
        let mut manifest = pod(name, name, &SDKS.map(looping));
        sdks::mount_ca(&mut manifest);
        stage.create::<Pod>("rotation", manifest).await?;
    }
    let mut tokens = Vec::new();
    for (name, _) in WAYS {
        stage.until_ready("rotation", name, 120).await?;
        tokens.push(token(stage, name).await?);
    }
    Ok(Begun { at: Instant::now(), tokens })
}

/// Waits beyond the first token's end, and reads what they say: every call went well, and the kubelet has written another token.
pub(crate) async fn end(stage: &Stage, begun: &Begun) -> Seen {
    sleep((begun.at + Duration::from_secs(SECONDS)).saturating_duration_since(Instant::now()))
        .await;
    let mut seen = Vec::new();
    for (way, first) in WAYS.iter().zip(&begun.tokens) {
        ensure!(
            token(stage, way.0).await? != *first,
            "{}: the kubelet wrote no second token",
            way.0
        );
        for (sdk, _) in SDKS {
            let log = stage.log("rotation", way.0, sdk).await?;
            let calls = log.lines().filter(|line| sdks::arn(line).is_some()).count();
            let failures: Vec<_> = log.lines().filter(|line| line.contains("\"error\"")).collect();
            ensure!(
                failures.is_empty(),
                "{}, {sdk}: {} failures, the first: {}",
                way.0,
                failures.len(),
                failures[0]
            );
            // One that hangs when the token changes is told so too.
            ensure!(calls > 500, "{}, {sdk}: only {calls} calls in {SECONDS} s", way.0);
            seen.push(format!("{sdk} by {}: {calls} calls", way.1));
        }
    }
    Ok(format!("no failure in {SECONDS} s: {}", seen.join("; ")))
}

/// What stands for the token that a pod has now: never the token itself.
async fn token(stage: &Stage, pod: &str) -> anyhow::Result<String> {
    let file =
        "cat $AWS_WEB_IDENTITY_TOKEN_FILE $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE | sha256sum";
    stage.kubectl(&["-n", "rotation", "exec", pod, "-c", SDKS[0].0, "--", "sh", "-c", file]).await
}

fn looping((sdk, image): (&str, &str)) -> Value {
    container(sdk, image, &["/whoami", sdk, "loop", "1"])
}
