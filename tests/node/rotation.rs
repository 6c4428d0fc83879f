//! The kubelet writes a new token into running pods: an SDK that runs through it never fails.
//!
//! A kubelet replaces a token by its age only after 80 % of its life, which is at least 600 s. It also does when it has
//! restarted, because it keeps the tokens that it was given in memory only, and that takes seconds:
//!
//! - `rotation` restarts the kubelet. It shows that another token in a running pod is noticed by the SDKs, accepted by agent
//!   and STS, and costs no call. The first token is still valid then.
//! - `rotation-expired`, only in `./test all`, waits for 660 s: the kubelet replaces the token by its age, the first one
//!   expires, and no call fails.

use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::{
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{self, Stage},
};

/// Tokens live 600 s, Kubernetes's least, and the kubelet renews them at 80 %: beyond 600 s no call is signed with the first.
const SECONDS: u64 = 660;
const WAYS: [(&str, &str); 2] = [("web", "web-identity"), ("container", "container")];

const SDKS: [(&str, &str); 2] = [("boto3", "python"), ("go-v2", "go")];

/// When the pods were ready, and a hash of the token that each had.
pub(crate) struct Begun {
    at: Instant,
    tokens: Vec<String>,
}

impl std::fmt::Display for Begun {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} pods with {} SDKs each ask once a second", self.tokens.len(), SDKS.len())
    }
}

/// Starts the pods, each with two SDKs that ask who they are every second.
pub(crate) async fn start(stage: &Stage) -> anyhow::Result<Begun> {
    stage.images(&["go"]).await?;
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

/// Waits until the first token has expired: every call went well, and the kubelet has written another token.
pub(crate) async fn expired(stage: &Stage, begun: &Begun) -> Seen {
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
            let calls = calls(stage, way.0, sdk).await?;
            // An SDK that hangs when the token changes has made fewer.
            ensure!(calls > 500, "{}, {sdk}: only {calls} calls in {SECONDS} s", way.0);
            seen.push(format!("{sdk} by {}: {calls} calls", way.1));
        }
    }
    Ok(format!("no failure in {SECONDS} s: {}", seen.join("; ")))
}

/// Restarts the kubelet, which then writes another token into the running pods: every call before and after goes well,
/// and so does the first call of a process that has seen the second token only.
pub(crate) async fn rewritten(stage: &Stage) -> Seen {
    let mut before = Vec::new();
    for (name, _) in WAYS {
        before.push(token(stage, name).await?);
    }
    restart_kubelet(stage).await?;
    let mut restarts = 1;
    let restarted = Instant::now();
    let mut seen = Vec::new();
    for ((name, way), first) in WAYS.iter().zip(&before) {
        // An exec fails until the kubelet answers again.
        let another = async || Ok(token(stage, name).await.is_ok_and(|token| token != *first));
        let what = format!("another token in pod {name}");
        // Once in four runs a kubelet that was killed wrote no token within 150 s. What is shown
        // here is what a new token does, so the kubelet may be restarted again; the output says it.
        while let Err(error) = stage::until(&what, 90, another).await {
            ensure!(restarts < 3, "{error:#}, after {restarts} restarts of the kubelet");
            restart_kubelet(stage).await?;
            restarts += 1;
        }
        let written = restarted.elapsed().as_secs();
        for (sdk, _) in SDKS {
            let words = ["-n", "rotation", "exec", name, "-c", sdk, "--", "/whoami", sdk];
            let answer = stage.kubectl(&words).await?;
            ensure!(sdks::arn(&answer).is_some(), "{sdk} by {way}, second token: {answer}");
            let so_far = calls(stage, name, sdk).await?;
            stage::until(&format!("ten more calls of {sdk} by {way}"), 60, async || {
                Ok(calls(stage, name, sdk).await? >= so_far + 10)
            })
            .await?;
        }
        seen.push(format!("{way}: another token after {written} s"));
    }
    Ok(format!(
        "{restarts} restarts of the kubelet, no call failed; only `./test all` lets the first token expire: {}",
        seen.join("; ")
    ))
}

/// Kills the kubelet and starts it.
async fn restart_kubelet(stage: &Stage) -> anyhow::Result<()> {
    stage.cluster("stop", &["kubelet"]).await?;
    stage.cluster("start", &["kubelet"]).await.map(drop)
}

/// How many calls of a container have gone well; an error if one has failed.
async fn calls(stage: &Stage, pod: &str, sdk: &str) -> anyhow::Result<usize> {
    let log = stage.log("rotation", pod, sdk).await?;
    let failures: Vec<_> = log.lines().filter(|line| line.contains("\"error\"")).collect();
    ensure!(
        failures.is_empty(),
        "{pod}, {sdk}: {} failures, the first: {}",
        failures.len(),
        failures[0]
    );
    Ok(log.lines().filter(|line| sdks::arn(line).is_some()).count())
}

/// A hash of the token that a pod has now: never the token itself.
async fn token(stage: &Stage, pod: &str) -> anyhow::Result<String> {
    let file =
        "cat $AWS_WEB_IDENTITY_TOKEN_FILE $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE | sha256sum";
    stage.kubectl(&["-n", "rotation", "exec", pod, "-c", SDKS[0].0, "--", "sh", "-c", file]).await
}

fn looping((sdk, image): (&str, &str)) -> Value {
    container(sdk, image, &["/whoami", sdk, "loop", "1"])
}
