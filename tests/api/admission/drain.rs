//! The webhook's end: unready at once, and reviews are taken until the API server has heard of it.

use std::path::Path;

use podrole_tests::{cluster::Cluster, namespace::plain_pod};
use tokio::{
    process::Command,
    time::{Duration, Instant, sleep},
};

use super::{REQUIRED, register, variables};
use crate::{daemons, http};

/// The webhook's own process among those that have its folder in their command line.
fn process(folder: &Path) -> Option<String> {
    let folder = folder.display().to_string();
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let program = std::fs::read_link(entry.path().join("exe")).ok()?;
        let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let is_it = program.file_name()? == "podrole-webhook" && line.contains(&folder);
        is_it.then(|| entry.file_name().to_string_lossy().into_owned())
    })
}

#[tokio::test]
async fn from_sigterm_on_it_is_unready_and_no_pod_is_missed_until_it_ends() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &["--shutdown-delay=3"]).await.unwrap();
    let namespace = cluster.namespace("drain", &[REQUIRED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let pid = process(&webhook.folder).unwrap();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let (asked, mut pods, mut unready) = (Instant::now(), 0, false);
    while asked.elapsed() < Duration::from_secs(2) {
        let pod = namespace.dry_run(plain_pod("probe", "probe")).await.unwrap();
        assert!(!variables(&pod).is_empty(), "pod {pods} was missed");
        pods += 1;
        let ready = http::get(webhook.admin, "/readyz", None).await.unwrap();
        unready |= ready.0 == 503 && ready.1.contains("the end of the shutdown");
    }
    assert!(unready && pods > 3, "{unready} {pods}");
    for _ in 0..300 {
        if webhook.daemon.has_ended() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not end: {}", webhook.daemon.log());
}
