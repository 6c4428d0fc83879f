//! `docs/metrics.md` lists every metric: what the daemons' registries say, and from the sources what
//! a registry only shows once it was counted.

mod declared;

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, ensure};
use podrole_tests::project;
use prometheus_client::registry::Registry;
use serde_json::Value;

use crate::{
    page::{Page, Row, Section, cell, quoted},
    source::{files, literal},
};
use declared::{Declared, Metric};

const PAGE: &str = "docs/metrics.md";
const COLUMNS: &[&str] =
    &["metric", "type", "unit", "labels", "meaning", "alerts", "label values and notes"];
/// The metric that says which build runs.
const BUILD: &str = "podrole_build";
/// What Prometheus appends to the name of a metric.
const ENDINGS: [&str; 4] = ["_total", "_bucket", "_count", "_sum"];

#[test]
fn every_metric_is_on_its_page() -> anyhow::Result<()> {
    let key = |cells: &[String]| {
        cells.first().map(|name| short(&quoted(name)).to_owned()).unwrap_or_default()
    };
    let page = Page::read(PAGE, key)?;
    let alerts = alerts()?;
    let (mut webhook, mut agent) = (Registry::default(), Registry::default());
    let mut controller = Registry::default();
    podrole_webhook::Metrics::default().register(&mut webhook);
    podrole_webhook::ControllerMetrics::default().register(&mut controller);
    podrole_agent::metrics::Metrics::default().register(&mut agent);
    let mut sections = Vec::new();
    for (heading, registry, krate, prefix, least) in [
        ("podrole-webhook", webhook, "webhook", "podrole_webhook_", 9),
        ("podrole-webhook controller", controller, "webhook", "podrole_controller_", 2),
        ("podrole-agent", agent, "agent", "podrole_agent_", 9),
    ] {
        let mut metrics = metrics(&registry, krate).context(heading)?;
        // The webhook's crate has those of its controller, too.
        metrics.retain(|name, _| name.starts_with(prefix) || name == BUILD);
        let rows: Vec<_> = metrics.iter().map(|(name, it)| row(name, it, &alerts)).collect();
        ensure!(rows.len() >= least, "{heading} has only {} metrics", rows.len());
        sections.push(Section { heading: heading.to_owned(), columns: COLUMNS, rows });
    }
    page.check(&sections)?;
    check_values(&page, &sections)
}

/// The metrics of a daemon by name, as registered.
fn metrics(registry: &Registry, krate: &str) -> anyhow::Result<BTreeMap<String, Metric>> {
    let declared = Declared::read(krate)?;
    let mut metrics = declared.collectors();
    for (name, help) in registered(registry)? {
        match declared.metric(&name, &help) {
            Some(metric) => drop(metrics.insert(name, metric)),
            None => ensure!(name == BUILD, "{name}: its type is not found in {krate}"),
        }
    }
    if !metrics.contains_key(BUILD) {
        let build = Declared::read("runtime")?;
        metrics.insert(BUILD.to_owned(), build.info(BUILD).context(BUILD)?);
    }
    Ok(metrics)
}

/// Names and help of what is registered: its encoded form leaves out what was never counted.
fn registered(registry: &Registry) -> anyhow::Result<Vec<(String, String)>> {
    let text = format!("{registry:?}");
    let mut found = Vec::new();
    for part in text.split("Descriptor { name: ").skip(1) {
        let name = literal(part).context("a descriptor without a name")?;
        let help = part.split_once("help: ").and_then(|(_, rest)| literal(rest));
        let help = help.with_context(|| format!("{name} has no help"))?;
        found.push((name, help.trim_end_matches('.').to_owned()));
    }
    Ok(found)
}

/// A name without its prefixes, so that notes stay when those change.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("podrole_").unwrap_or(name);
    ["agent_", "webhook_", "controller_"]
        .iter()
        .find_map(|it| name.strip_prefix(it))
        .unwrap_or(name)
}

fn row(name: &str, metric: &Metric, alerts: &[(String, String)]) -> Row {
    let exposed = match metric.kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    };
    let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")));
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let asks = |expr: &str| {
        let mut words = expr.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let stem = |word: &str| ENDINGS.iter().any(|it| word.strip_suffix(it) == Some(name));
        words.any(|word| word == exposed || stem(word))
    };
    let used: Vec<_> =
        alerts.iter().filter(|(_, expr)| asks(expr)).map(|(it, _)| it.as_str()).collect();
    let cells = vec![
        format!("`{exposed}`"),
        metric.kind.to_owned(),
        unit.unwrap_or_default().to_owned(),
        labels.join(", "),
        cell(&metric.help),
        used.join(", "),
    ];
    Row { key: short(&exposed).to_owned(), cells, unwritten: "" }
}

/// The chart's alerts with their expressions.
fn alerts() -> anyhow::Result<Vec<(String, String)>> {
    let file = project::root().join("manifests/chart/files/alerts.yaml");
    let text = fs::read_to_string(file).context("alerts.yaml")?;
    let alerts: Value = serde_saphyr::from_str(&text)?;
    let groups = alerts["groups"].as_array().into_iter().flatten();
    let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
    Ok(rules.map(|rule| (text(rule, "alert"), text(rule, "expr"))).collect())
}

/// Each value in backquotes is a word of the sources: one that was renamed is found.
fn check_values(page: &Page, sections: &[Section]) -> anyhow::Result<()> {
    let mut sources = String::new();
    for krate in ["agent", "webhook", "identity", "runtime"] {
        sources.extend(files(krate)?.into_iter().map(|(_, text)| text));
    }
    for section in sections {
        for row in &section.rows {
            for value in page.written(&section.heading, row).split('`').skip(1).step_by(2) {
                ensure!(
                    sources.contains(&format!("\"{value}\"")),
                    "{PAGE}: {}: no source has the value {value:?}",
                    row.key
                );
            }
        }
    }
    Ok(())
}
