//! `podrole_build_info`: which build of which daemon is running.

use prometheus_client::{metrics::info::Info, registry::Registry};

/// The version of this build; all crates of the workspace have the same one.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of this build: what `PODROLE_REVISION` was when it was compiled, else `unknown`.
///
/// A variable rather than a build script that runs git: a script would recompile every daemon
/// after each commit.
pub const REVISION: &str = match option_env!("PODROLE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Registers `podrole_build_info{component,version,revision}` with the value 1. `component` is
/// `agent`, `controller`, `sandbox` or `webhook`.
pub fn register(registry: &mut Registry, component: &'static str) {
    let labels = vec![("component", component), ("version", VERSION), ("revision", REVISION)];
    registry.register(
        "podrole_build",
        "Component, version and commit of this build",
        Info::new(labels),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_component_version_and_revision() {
        let mut registry = Registry::default();
        register(&mut registry, "webhook");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let labels = format!(r#"component="webhook",version="{VERSION}",revision="{REVISION}""#);
        let line = format!("podrole_build_info{{{labels}}} 1");
        assert!(text.contains(&line), "{text}");
    }
}
