//! The agent at its own addresses, in a network of this test's own: a process may have one without
//! being root.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::Router;
use podrole_runtime::serve::{Limits, Server};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    client::{CALLER, Sdk},
    rows::{row_of, served},
    stage::{APP, Plan, Stage, Way},
    table::{Cell, Outcome, judge},
};

const CHILD: &str = "PODROLE_TEST_LINK_LOCAL";
const V4: &str = "169.254.170.23";
const V6: &str = "fd00:ec2::23";
/// Where a relative URI leads: ECS's agent.
const ECS: &str = "169.254.170.2";
const NETWORK: &str = "ip link set lo up && \
    ip address add 169.254.170.23/32 dev lo && ip address add 169.254.170.2/32 dev lo && \
    ip address add fd00:ec2::23/128 dev lo && exec \"$0\" \"$@\"";

/// Runs a test of this program again, in a network with those addresses.
async fn in_a_network_of_its_own(test: &str) {
    let child = tokio::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-c", NETWORK])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .kill_on_drop(true)
        .output();
    let output = child.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error_output = String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success() && text.contains("1 passed"), "{text} {error_output}");
}

fn is_the_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn at(address: &str) -> Plan {
    Plan { agent: address.parse().unwrap(), ..Plan::default() }
}

#[tokio::test]
async fn a02_a23_a25_at_the_agents_own_addresses() {
    for test in ["a02_by_ipv6", "a23_no_proxy_sees_a_token", "a25_of_two_uris_one_wins"] {
        in_a_network_of_its_own(&format!("link_local::in_the_child_{test}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_child_a02_by_ipv6() {
    if !is_the_child() {
        return;
    }
    for (name, address) in [("A1 at 169.254.170.23", V4), ("A2 at [fd00:ec2::23]", V6)] {
        row_of(name, at(address), async |sdk, stage| {
            let mut pod = stage.pod(Way::Container, &stage.token(APP)?)?;
            if sdk == Sdk::Java && stage.agent_address.is_ipv6() {
                // Else it takes no IPv6 address by plain HTTP.
                pod.set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6");
            }
            Ok(served(&sdk.once(&CALLER, &pod.variables).await?, stage, 1, 1))
        })
        .await;
    }
}

/// A proxy that only counts its connections.
async fn recorder() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, SeqCst);
            drop(stream);
        }
    });
    (address, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_child_a23_no_proxy_sees_a_token() {
    if !is_the_child() {
        return;
    }
    let proxied = async |sdk: Sdk, stage: &Stage, except: &str| -> anyhow::Result<_> {
        let (proxy, seen) = recorder().await;
        let mut pod = stage.pod(Way::Container, &stage.token(APP)?)?;
        if sdk == Sdk::Java && stage.agent_address.is_ipv6() {
            pod.set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6");
        }
        for name in ["HTTP_PROXY", "http_proxy"] {
            pod.set(name, &format!("http://{proxy}"));
        }
        for name in ["NO_PROXY", "no_proxy"] {
            pod.set(name, except);
        }
        let used = sdk.once(&CALLER, &pod.variables).await?;
        Ok((used, seen.load(SeqCst)))
    };
    for address in [V4, V6] {
        // STS is near, too; the other two are what the webhook adds.
        let except = format!("127.0.0.1,{V4},{V6}");
        row_of(&format!("A23 behind a proxy, {address}"), at(address), async |sdk, stage| {
            let (used, seen) = proxied(sdk, stage, &except).await?;
            let right = used.arn == Some(Way::Container.arn()) && seen == 0;
            Ok(Outcome::of(right, || format!("{used:?}; the proxy was asked {seen} times")))
        })
        .await;
    }
    // Without the exception the recorder would have seen it.
    if Sdk::wanted().contains(&Sdk::Go) {
        let stage = Stage::of(at(V4)).await.unwrap();
        let (_, seen) = proxied(Sdk::Go, &stage, "127.0.0.1").await.unwrap();
        assert!(seen > 0, "the recorder records nothing");
    }
}

/// ECS's agent, which counts and refuses.
async fn ecs() -> (Arc<AtomicUsize>, DropGuard) {
    let seen = Arc::<AtomicUsize>::default();
    let (count, end) = (Arc::clone(&seen), CancellationToken::new());
    let address = SocketAddr::new(ECS.parse::<IpAddr>().unwrap(), 80);
    let server = Server::bind(address, Limits::default()).await.unwrap();
    let router = Router::new().fallback(async move || {
        count.fetch_add(1, SeqCst);
        axum::http::StatusCode::NOT_FOUND
    });
    tokio::spawn(server.run(router, end.clone()));
    (seen, end.drop_guard())
}

/// The webhook leaves such a pod alone and says so; this is why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_child_a25_of_two_uris_one_wins() {
    if !is_the_child() {
        return;
    }
    let stage = Stage::of(at(V4)).await.unwrap();
    let (asked, _ecs) = ecs().await;
    let mut cells = Vec::new();
    for sdk in Sdk::wanted() {
        let mut pod = stage.pod(Way::Container, &stage.token(APP).unwrap()).unwrap();
        pod.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials");
        let used = sdk.once(&CALLER, &pod.variables).await.unwrap();
        let (ours, ecs) = (stage.agent.requests(), asked.swap(0, SeqCst));
        // Go's first SDK takes the full one, the others the relative one.
        let right = if sdk == Sdk::Go1 {
            used.arn.is_some() && ours == 1 && ecs == 0
        } else {
            used.error.is_some() && ours == 0 && ecs > 0
        };
        let outcome = Outcome::of(right, || format!("{used:?} {ours} {ecs}"));
        cells.push(Cell { row: "A25 two URIs".to_owned(), column: sdk.to_string(), outcome });
    }
    judge("", &cells);
}
