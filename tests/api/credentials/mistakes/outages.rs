//! Mistakes on the way to AWS: the agent's answers name the endpoint and what happened.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use podrole_tests::{cluster::Cluster, python, wait};
use tokio::net::TcpListener;

use super::super::start::fails;
use super::{NODE, Reported, Stage, events::event, reported, stand_in};
use crate::{
    daemons::{self, Daemon},
    http,
};

pub(super) const ANSWER: &str = "the agent's answer";

async fn agent(sts: &str) -> Daemon {
    let kubeconfig = Cluster::shared().await.unwrap().kubeconfig();
    let agent = daemons::start_agent_at(&kubeconfig, sts, NODE, &[], &[]).await.unwrap();
    daemons::until_ready(&agent).await.unwrap();
    agent
}

/// The agent's message, once it says more than that it waits.
async fn answer(agent: &Daemon, token: &str) -> String {
    wait::found("an answer", Duration::from_secs(30), async || {
        let (status, body) = http::credentials(agent.address, token).await?;
        anyhow::ensure!(status == 503, "{status} {body}");
        let message = body["message"].as_str().unwrap_or_default().to_owned();
        Ok(Some(message).filter(|it| it.contains("://") || it.contains("clock")))
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}\n{}", agent.log()))
}

pub(super) async fn all(stage: &Stage) -> Vec<Reported> {
    stage.service_account("away", "container").await.unwrap();
    let pod = stage.pod("away", "away").await.unwrap();
    let token = stage.namespace.bound_token(&pod, super::super::AUDIENCE, 3600).await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (mut all, mut agents) = (Vec::new(), Vec::new());
    let ahead = Duration::from_secs(2 * 3600 + 30);
    for (mistake, url) in [
        ("nothing listens at the endpoint", format!("http://{free}")),
        ("the endpoint's name does not exist", "https://sts.podrole.invalid".to_owned()),
        ("a firewall drops what is sent to AWS", at(&silent)),
        (
            "a proxy that inspects TLS, and its CA is not known",
            format!("https://{}", stage._webhook.daemon.address),
        ),
        (
            "STS has a problem of its own",
            stand_in::sts(503, "ServiceUnavailable", Duration::ZERO).await,
        ),
        ("the node's clock is wrong", stand_in::sts(400, "RequestExpired", ahead).await),
    ] {
        let agent = agent(&url).await;
        all.push(reported(mistake, ANSWER, &answer(&agent, &token).await));
        agents.push(agent);
    }
    let region = fails(&["--bind-hosts=127.0.0.1", "--port=0"]).await;
    all.push(reported("the agent has no region", "the agent's log when it starts", &region));
    all.push(reported("a container has no region", "the SDK, here boto3", &without_region().await));
    all.push(lasting(stage, &pod, &agents[0], &token).await);
    all
}

/// What boto3 says without a region.
async fn without_region() -> String {
    const PROGRAM: &str = "import boto3; boto3.client('sqs')";
    let variables = [("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())];
    let python = python::bin().unwrap().join("python");
    let error = daemons::output(&python, &["-c", PROGRAM], &variables).await.unwrap_err();
    let text = error.to_string();
    text.trim_end().rsplit('\n').next().unwrap_or_default().to_owned()
}

/// What is written on the pod after a minute.
async fn lasting(stage: &Stage, pod: &Pod, agent: &Daemon, token: &str) -> Reported {
    let asked = wait::found("the Event", Duration::from_secs(90), async || {
        http::credentials(agent.address, token).await?;
        Ok(event(&stage.namespace, pod, "CredentialsUnavailable").await)
    });
    let note = asked.await.unwrap();
    reported("AWS cannot be reached for a minute", "Event CredentialsUnavailable", &note)
}
