//! Which build runs, as a metric.

use prometheus_client::{metrics::info::Info, registry::Registry};

/// Adds `podrole_build_info{component="...",version="..."}`.
pub fn register(registry: &mut Registry, component: &'static str, version: &'static str) {
    let labels = vec![("component", component), ("version", version)];
    registry.register("podrole_build", "The build that runs", Info::new(labels));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_names_component_and_version() {
        let mut registry = Registry::default();
        register(&mut registry, "webhook", "1.2.3");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let line = r#"podrole_build_info{component="webhook",version="1.2.3"} 1"#;
        assert!(text.contains(line), "{text}");
    }
}
