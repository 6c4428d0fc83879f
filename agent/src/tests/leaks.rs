//! No log line, error or metric contains a secret, at any log level.

use std::{
    io,
    sync::{Arc, Mutex},
};

use prometheus_client::{encoding::text::encode, registry::Registry};
use tracing_subscriber::fmt::MakeWriter;

use super::full_path::world;

const CHILD: &str = "PODROLE_TEST_LEAKS";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Log levels are global and other tests log too, so this one runs in a process of its own.
#[tokio::test]
async fn at_trace_level_no_line_contains_a_secret() {
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::leaks::in_the_child_no_line_contains_a_secret", "--nocapture"])
        .env(CHILD, "1")
        .output();
    let output = child.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("looked at"), "{text}");
}

#[tokio::test]
async fn in_the_child_no_line_contains_a_secret() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let lines = Lines::default();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(format!("trace,{}", crate::args::QUIET))
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(logs);
    let (good, bad) = (world().await, world().await);
    let token = good.token();
    assert_eq!(good.ask(&token).await.0, 200);
    bad.sts.fails_with(403, "AccessDenied");
    let (_, refusal) = bad.ask(&token).await;
    let mut registry = Registry::default();
    good.agent.metrics().register(&mut registry);
    let mut text = refusal.to_string();
    encode(&mut text, &registry).unwrap();
    text += std::str::from_utf8(&lines.0.lock().unwrap()).unwrap();
    assert!(
        text.contains("credentials fetched") && text.contains("could not fetch credentials"),
        "{text}"
    );
    assert!(text.contains("podrole_agent_requests_total{outcome=\"ok\"} 1"), "{text}");
    assert!(text.contains("podrole_agent_cache_entries 1"), "{text}");
    for part in [
        "credentials issued",
        "pod_uid=\"pod-uid\"",
        "namespace=\"shop\"",
        "service_account=\"app\"",
        "role=\"arn:aws:iam::",
        "session_name=\"shop.app\"",
        " expires=20",
        "access_key_id=\"ASIAFROMSTS\"",
        "source=\"fetch\"",
    ] {
        assert!(text.contains(part), "the audit line: {part} in {text}");
    }
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for secret in [&token, signed, signature, "secret-from-sts", "session-from-sts"] {
        assert!(!text.contains(secret), "{text}");
    }
    println!("looked at {} bytes", text.len());
}
