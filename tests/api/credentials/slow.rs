//! The API server is slow, unwilling or mute: what has ended stays ended, what is removed ends in time, and what is good
//! is served.

use std::{path::PathBuf, sync::atomic::Ordering::SeqCst, time::Duration};

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use podrole_tests::{cluster::Cluster, wait};

use super::{AUDIENCE, NODE, Stage};
use crate::{
    daemons::{self, Daemon},
    faulty_api::{FaultyApi, Manner, Manners},
    http,
    wire::Wire,
};

/// What a failed look-up may look like.
const FAILURES: [Manner; 5] = [
    Manner::After(Duration::from_millis(600)),
    Manner::Status(403),
    Manner::Status(429),
    Manner::Status(500),
    Manner::Close,
];
/// A removed role ends within this time, plus that of a look-up.
const REMOVED: Duration = Duration::from_secs(5);

/// A stage whose second agent reaches the API server by a proxy.
struct SlowStage {
    stage: Stage,
    api: FaultyApi,
    agent: Daemon,
    _sandbox: Daemon,
    _folder: TempDir,
}

impl SlowStage {
    async fn start(name: &str, flags: &[&str]) -> anyhow::Result<Self> {
        let (stage, cluster) = (Stage::start(name).await?, Cluster::shared().await?);
        // Its role trusts every ServiceAccount of the namespace.
        let subject = format!("system:serviceaccount:{}:*", stage.namespace.name());
        let config = daemons::sandbox_config(cluster.issuer(), &cluster.jwks().await?, &subject);
        let config = config.to_string().replace("StringEquals", "StringLike");
        let sandbox = daemons::sandbox_of(&serde_json::from_str(&config)?).await?;
        let api = FaultyApi::before(cluster).await?;
        let folder = tempfile::tempdir()?;
        let kubeconfig = api.kubeconfig(folder.path())?;
        let agent = daemons::start_agent(&kubeconfig, &sandbox, NODE, flags, &[]).await?;
        daemons::until_ready(&agent).await?;
        Ok(Self { stage, api, agent, _sandbox: sandbox, _folder: folder })
    }

    async fn pod(&self, name: &str, service_account: &str) -> anyhow::Result<Pod> {
        self.stage.pod(name, service_account).await
    }

    async fn token(&self, pod: &Pod) -> anyhow::Result<String> {
        self.stage.namespace.bound_token(pod, AUDIENCE, 3600).await
    }

    /// The tokens of so many new pods, each with a ServiceAccount of its own.
    async fn tokens(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let token = async |number| {
            let name = format!("app-{number}");
            self.stage.service_account(&name, "container").await?;
            self.token(&self.pod(&name, &name).await?).await
        };
        try_join_all((0..count).map(token)).await
    }

    async fn ask(&self, token: &str) -> anyhow::Result<(u16, Value)> {
        http::credentials(self.agent.address, token).await
    }

    /// Asks as an SDK does: three times, each for at most a second.
    async fn ask_as_an_sdk(&self, token: &str) -> anyhow::Result<()> {
        let mut last = String::new();
        for _ in 0..3 {
            match timeout(Duration::from_secs(1), self.ask(token)).await {
                Ok(Ok((200, _))) => return Ok(()),
                other => last = format!("{other:?}"),
            }
            sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("{last}\n{}", self.agent.log())
    }

    /// Asks five times a second until the answer is `status`; returns how long that took.
    async fn until(&self, token: &str, status: u16) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        http::credentials_until(self.agent.address, token, status, Duration::from_secs(30)).await?;
        Ok(begun.elapsed())
    }
}

#[tokio::test]
async fn a_pod_that_was_seen_to_end_is_refused_however_the_api_server_answers() {
    let slow = SlowStage::start("ended", &["--verify-peer=enforce"]).await.unwrap();
    slow.stage.service_account("app", "container").await.unwrap();
    let pod = slow.pod("app", "app").await.unwrap();
    // Its own address, so that no other test's requests come from this pod's.
    let own = "127.0.0.8";
    slow.stage.namespace.set_address("app", own).await.unwrap();
    let ask = async |token: &str| http::credentials_from(own, slow.agent.address, token).await;
    let until = async |token: &str, wanted: u16| {
        wait::until("the status", Duration::from_secs(30), async || {
            Ok(ask(token).await?.0 == wanted)
        })
        .await
        .unwrap();
    };
    let (used, unused) = (slow.token(&pod).await.unwrap(), slow.token(&pod).await.unwrap());
    until(&used, 200).await;
    for (number, manner) in FAILURES.into_iter().enumerate() {
        slow.api.set(|manners| manners.pod = manner);
        if number == 0 {
            slow.stage.delete(&pod).await.unwrap();
            until(&used, 403).await;
        }
        // A look-up that the first request began has ended by now.
        sleep(Duration::from_millis(1100)).await;
        for token in [&used, &unused] {
            let (status, body) = ask(token).await.unwrap();
            assert_eq!(
                (status, &body["code"]),
                (403, &json!("PodNotServed")),
                "{manner:?}: {body}"
            );
            let message = body["message"].as_str().unwrap_or_default();
            assert!(message.contains("no longer exists"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_removed_role_and_a_tightened_guard_rail_end_although_look_ups_are_slow() {
    let slow = SlowStage::start("removed", &[]).await.unwrap();
    slow.stage.service_account("app", "container").await.unwrap();
    let token = slow.token(&slow.pod("app", "app").await.unwrap()).await.unwrap();
    assert_eq!(slow.ask(&token).await.unwrap().0, 200, "{}", slow.agent.log());
    let look_up = Duration::from_millis(600);
    slow.api.set(|manners| manners.grant = Manner::After(look_up));

    let (namespace, client) = (slow.stage.namespace.name(), slow.stage.namespace.client());
    let guard = async |roles: Option<&str>| {
        let change = json!({"metadata": {"annotations": {"podrole.io/permitted-roles": roles}}});
        let namespaces = Api::<Namespace>::all(client.clone());
        let change = Patch::Merge(change);
        namespaces.patch(namespace, &PatchParams::default(), &change).await.unwrap();
    };
    guard(Some("")).await;
    let took = slow.until(&token, 403).await.unwrap();
    // A request's own 0.9 s come on top.
    let most = REMOVED + look_up + Duration::from_millis(900);
    assert!(took < most, "{took:?}");
    guard(None).await;
    slow.until(&token, 200).await.unwrap();

    let change = json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": null}}});
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    accounts.patch("app", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    let took = slow.until(&token, 404).await.unwrap();
    assert!(took < most, "{took:?}");
    for _ in 0..20 {
        let status = slow.ask(&token).await.unwrap().0;
        assert!([404, 503].contains(&status), "{status}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_cold_agent_answers_new_pods_although_each_look_up_takes_350_ms() {
    let slow = SlowStage::start("cold", &[]).await.unwrap();
    let late = Manner::After(Duration::from_millis(350));
    slow.api.set(|manners| *manners = Manners { pod: late, grant: late, mute: false });
    let tokens = slow.tokens(14).await.unwrap();
    try_join_all(tokens.iter().map(|token| slow.ask_as_an_sdk(token))).await.unwrap();
}

#[tokio::test]
async fn a_pod_that_the_watch_has_not_shown_waits_for_one_look_up() {
    let slow = SlowStage::start("unseen", &[]).await.unwrap();
    slow.stage.service_account("app", "container").await.unwrap();
    slow.api.set(|manners| manners.mute = true);
    // Nothing of a watch comes through: the agent believes its watch, and it is connected.
    for (number, manner) in FAILURES.into_iter().enumerate() {
        slow.api.set(|manners| manners.pod = manner);
        let pod = slow.pod(&format!("unseen-{number}"), "app").await.unwrap();
        let token = slow.token(&pod).await.unwrap();
        if matches!(manner, Manner::After(_)) {
            slow.ask_as_an_sdk(&token).await.unwrap();
            continue;
        }
        let (status, body) = slow.ask(&token).await.unwrap();
        assert_eq!((status, &body["code"]), (503, &json!("TryAgain")), "{manner:?}: {body}");
        slow.api.set(|manners| manners.pod = Manner::Good);
        slow.until(&token, 200).await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_the_api_server_refuses_serves_what_it_knows_and_is_not_ready() {
    let slow = SlowStage::start("refused", &[]).await.unwrap();
    slow.stage.service_account("app", "container").await.unwrap();
    let (known, ended) =
        (slow.pod("known", "app").await.unwrap(), slow.pod("ended", "app").await.unwrap());
    let tokens = [slow.token(&known).await.unwrap(), slow.token(&ended).await.unwrap()];
    for token in &tokens {
        assert_eq!(slow.ask(token).await.unwrap().0, 200, "{}", slow.agent.log());
    }
    slow.stage.delete(&ended).await.unwrap();
    slow.until(&tokens[1], 403).await.unwrap();
    for code in [401, 403] {
        let refused = Manner::Status(code);
        slow.api.set(|manners| *manners = Manners { pod: refused, grant: refused, mute: true });
        wait::until("an agent that is not ready", Duration::from_secs(10), async || {
            let (known, body) = slow.ask(&tokens[0]).await?;
            assert_eq!(known, 200, "a known live pod: {body}");
            let (ended, body) = slow.ask(&tokens[1]).await?;
            assert_eq!(ended, 403, "a pod that ended: {body}");
            Ok(daemons::readiness(&slow.agent).await?.0 == 503)
        })
        .await
        .unwrap();
        let (_, reason) = daemons::readiness(&slow.agent).await.unwrap();
        assert!(reason.contains("the right to get"), "{reason}");
        let unseen = slow.pod(&format!("unseen-{code}"), "app").await.unwrap();
        let (status, body) = slow.ask(&slow.token(&unseen).await.unwrap()).await.unwrap();
        assert_eq!((status, &body["code"]), (503, &json!("TryAgain")), "{body}");
        slow.api.set(|manners| *manners = Manners::default());
        daemons::until_ready(&slow.agent).await.unwrap();
    }
}

/// The connection is dead and says nothing; a new one would be answered. HTTP/2 asks for a sign of life.
#[tokio::test]
async fn a_dead_connection_is_noticed_within_20_s() {
    let stage = Stage::start("silent").await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let (wire, folder) = (Wire::to(cluster).await.unwrap(), tempfile::tempdir().unwrap());
    let kubeconfig: PathBuf = wire.kubeconfig(cluster, folder.path()).unwrap();
    let agent = daemons::start_agent(&kubeconfig, &stage.sandbox, NODE, &[], &[]).await.unwrap();
    daemons::until_ready(&agent).await.unwrap();
    let pod = stage.pod("app", "app").await.unwrap();
    let token = stage.namespace.bound_token(&pod, AUDIENCE, 3600).await.unwrap();
    http::credentials_until(agent.address, &token, 200, Duration::from_secs(5)).await.unwrap();
    wire.forget_connections();
    stage.delete(&pod).await.unwrap();
    // The ping's 20 s, and the watch's own time to begin again; it was 305 s.
    http::credentials_until(agent.address, &token, 403, Duration::from_secs(40)).await.unwrap();
}

/// Two busy names cost 10,000 nodes 10,000 GETs a second once, for as long as they were used.
#[tokio::test]
async fn a_busy_pod_costs_the_api_server_few_gets_and_two_watches() {
    let slow = SlowStage::start("busy", &[]).await.unwrap();
    slow.stage.service_account("app", "container").await.unwrap();
    let token = slow.token(&slow.pod("app", "app").await.unwrap()).await.unwrap();
    let ask = async |time: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < time {
            assert_eq!(slow.ask(&token).await.unwrap().0, 200, "{}", slow.agent.log());
            sleep(Duration::from_millis(333)).await;
        }
    };
    let asked = slow.api.asked();
    let counts = || (asked.gets.load(SeqCst), asked.watches.load(SeqCst));
    if std::env::var_os("PODROLE_TEST_ALL").is_some() {
        // For each name two GETs until it is watched, and one in 150 s that shows that the watch reports.
        ask(Duration::from_mins(5)).await;
        assert!(counts().0 <= 6 && counts().1 <= 2, "{asked:?} in 5 min");
    } else {
        // A name that is not watched is read every 4 s. Beside the other tests a watch may begin late.
        let mut quiet = false;
        for _ in 0..6 {
            let before = counts();
            ask(Duration::from_secs(9)).await;
            quiet |= counts() == before && before.1 >= 2;
            if quiet {
                break;
            }
        }
        assert!(quiet, "{asked:?}: no 9 s without a GET");
    }
    let (namespace, client) = (slow.stage.namespace.name(), slow.stage.namespace.client());
    let accounts = Api::<ServiceAccount>::namespaced(client, namespace);
    accounts.delete("app", &DeleteParams::default()).await.unwrap();
    let took = slow.until(&token, 404).await.unwrap();
    assert!(took < REMOVED, "{took:?}");
}

#[tokio::test]
async fn watches_and_look_ups_share_a_connection() {
    let slow = SlowStage::start("shared", &[]).await.unwrap();
    slow.api.set(|manners| manners.grant = Manner::After(Duration::from_millis(200)));
    try_join_all(slow.tokens(8).await.unwrap().iter().map(|token| slow.ask_as_an_sdk(token)))
        .await
        .unwrap();
    // The first requests may begin a connection each, before one of them is known to speak HTTP/2.
    assert!(slow.api.connections() <= 3, "{}", slow.api.connections());
}
