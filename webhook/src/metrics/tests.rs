//! What a scrape returns.

use prometheus_client::encoding::text::encode;

use super::*;

#[test]
fn a_scrape_returns_reviews_durations_cache_sizes_and_conflicts() {
    let (metrics, mut registry) = (Metrics::default(), Registry::default());
    metrics.register(&mut registry);
    let provider = Some(CredentialProvider::WebIdentity);
    metrics.reviewed(Route::Enabled, provider, &Outcome::skip(Reason::NothingToAdd));
    metrics.rejected(Route::Required);
    metrics.took(Route::Enabled, Duration::from_micros(300));
    metrics.live_read(LiveRead::Found);
    metrics.cached("annotated", 3);
    metrics.watch_event(Watch::Namespaces);
    metrics.watch_interrupted(Watch::ServiceAccounts);
    metrics.conflicts(1, 0);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        r#"podrole_webhook_reviews_total{route="/mutate",provider="web_identity",outcome="skipped",reason="nothing_to_add"} 1"#,
        r#"podrole_webhook_reviews_total{route="/mutate/required",provider="none",outcome="rejected",reason="unreadable"} 1"#,
        r#"podrole_webhook_review_duration_seconds_bucket{le="0.00025",route="/mutate"} 0"#,
        r#"podrole_webhook_review_duration_seconds_bucket{le="0.0005",route="/mutate"} 1"#,
        r#"podrole_webhook_live_reads_total{result="found"} 1"#,
        r#"podrole_webhook_cache_objects{kind="annotated"} 3"#,
        r#"podrole_webhook_sync_age_seconds{kind="namespaces"} "#,
        r#"podrole_webhook_watch_interruptions_total{kind="service_accounts"} 1"#,
        r#"podrole_webhook_conflicts{kind="eks"} 1"#,
        r#"podrole_webhook_conflicts{kind="podrole"} 0"#,
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}
