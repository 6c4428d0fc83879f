//! Alerts and dashboard ask for metrics that a daemon of ours has, or the API server.

use std::{collections::BTreeSet, fs};

use anyhow::ensure;
use podrole_tests::project;

use crate::helm;

/// What Prometheus adds to the name that a daemon registers.
const ENDINGS: [&str; 5] = ["_total", "_bucket", "_count", "_sum", "_info"];
/// The API server's own, as it calls them.
const API_SERVER: [&str; 2] =
    ["apiserver_admission_webhook_fail_open_count", "apiserver_admission_webhook_rejection_count"];

#[test]
fn each_metric_that_is_asked_for_is_there() -> anyhow::Result<()> {
    let mut sources = String::new();
    let daemons = ["agent/src", "webhook/src", "runtime/src", "certs/src"];
    for file in project::files()? {
        if daemons.iter().any(|folder| file.starts_with(folder)) {
            sources += &fs::read_to_string(project::root().join(file))?;
        }
    }
    let mut asked = BTreeSet::new();
    for file in ["alerts.yaml", "dashboard.json"] {
        let text = fs::read_to_string(helm::chart().join("files").join(file))?;
        let exprs = text
            .lines()
            .filter(|line| line.trim_start().trim_start_matches('"').starts_with("expr"));
        asked.extend(exprs.flat_map(names));
    }
    ensure!(asked.len() > 8, "only {asked:?} are asked for");
    for name in asked.iter().filter(|name| !API_SERVER.contains(&name.as_str())) {
        let bare = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        // The webhook writes its prefix once, for all of them.
        let short = bare.strip_prefix("podrole_webhook_").unwrap_or(bare);
        let names = [short, bare, name.as_str()];
        let there = names.iter().any(|name| sources.contains(&format!("\"{name}\"")));
        ensure!(there, "no daemon has the metric {name}");
    }
    Ok(())
}

/// The metrics that an expression names.
fn names(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let metric =
        |word: &&str| word.starts_with("podrole_") || word.starts_with("apiserver_admission_");
    words.filter(metric).map(str::to_owned).collect()
}
