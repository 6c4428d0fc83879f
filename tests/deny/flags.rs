//! `docs/flags.md` lists every flag as the daemons' own parsers know it, and where the chart sets it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, ensure};
use clap::{Arg, ArgAction, Args as _, Command, CommandFactory as _};
use podrole_tests::project;
use serde_json::Value;

use crate::page::{Page, Row, Section, UNWRITTEN, cell, quoted};

const PAGE: &str = "docs/flags.md";
const CHART: &str = "manifests/chart";
const COLUMNS: &[&str] = &["flag", "default", "unit", "meaning", "variable", "chart"];
/// What the cell of a flag begins with that the chart does not set.
const NOT_SET: &str = "—";

/// Units that a flag's value name has.
const UNITS: [(&str, &str); 5] = [
    ("MILLISECONDS", "milliseconds"),
    ("SECONDS", "seconds"),
    ("BYTES", "bytes"),
    ("MIB", "MiB"),
    ("DURATION", "s, m or h"),
];
/// Units of flags that count.
const COUNTS: [(&str, &str); 4] = [
    ("connections-per-peer", "connections"),
    ("max-cache-size", "sessions"),
    ("owner", "UID"),
    ("rejected-tokens-per-second", "tokens per second"),
];

/// A command, and where the chart starts it: the lines of `file` with `word`, and the templates
/// that they include.
struct Program {
    name: &'static str,
    command: Command,
    file: &'static str,
    word: &'static str,
}

fn programs() -> anyhow::Result<Vec<Program>> {
    let sub = |command: Command, name: &str| {
        command.find_subcommand(name).cloned().with_context(|| format!("no subcommand {name}"))
    };
    let agent = podrole_agent::Args::command();
    let node = podrole_node::Args::command();
    let webhook = podrole_webhook::command();
    let sandbox = podrole_sandbox::SandboxArgs::augment_args(Command::new("podrole-sandbox"));
    let program = |name, command, file, word| Program { name, command, file, word };
    let deployment = "templates/webhook/deployment.yaml";
    let daemonset = "templates/agent/daemonset.yaml";
    Ok(vec![
        program("podrole-webhook", webhook.clone(), deployment, ""),
        program(
            "podrole-webhook controller",
            sub(webhook, "controller")?,
            "templates/controller/deployment.yaml",
            "",
        ),
        program("podrole-agent", agent, daemonset, ""),
        program("podrole-node run", sub(node.clone(), "run")?, daemonset, ""),
        program("podrole-node setup", sub(node.clone(), "setup")?, daemonset, "setup"),
        program("podrole-node health", sub(node, "health")?, daemonset, "health, "),
        program("podrole-sandbox", sandbox, "templates/sandbox/sandbox.yaml", ""),
    ])
}

#[test]
fn every_flag_is_on_its_page() -> anyhow::Result<()> {
    let page =
        Page::read(PAGE, |cells| cells.first().map(|flag| quoted(flag)).unwrap_or_default())?;
    let programs = programs()?;
    let sections: Vec<_> = programs.iter().map(section).collect();
    page.check(&sections)?;
    let values = fs::read_to_string(project::root().join(CHART).join("values.yaml"))?;
    let values: Value = serde_saphyr::from_str(&values)?;
    let templates = templates()?;
    for (program, section) in programs.iter().zip(&sections) {
        let chart = program.chart(&templates).context(program.name)?;
        for (argument, row) in flags(&program.command).zip(&section.rows) {
            let cell = page.written(&section.heading, row);
            check_chart(argument, cell, &chart, &values)
                .with_context(|| format!("{PAGE}: {} {}", program.name, row.key))?;
        }
    }
    Ok(())
}

impl Program {
    fn chart(&self, templates: &BTreeMap<String, String>) -> anyhow::Result<String> {
        let text = fs::read_to_string(project::root().join(CHART).join(self.file))?;
        let lines = text.lines().filter(|line| line.contains(self.word));
        let mut chart: String = lines.map(|line| format!("{line}\n")).collect();
        let mut included = BTreeSet::new();
        loop {
            let names = chart.split("include \"").skip(1).filter_map(|rest| rest.split('"').next());
            let new = names.map(str::to_owned).find(|name| !included.contains(name));
            let Some(name) = new else {
                return Ok(chart);
            };
            let body = templates.get(&name).with_context(|| format!("no template {name}"))?;
            chart += body;
            included.insert(name);
        }
    }
}

/// The chart's named templates.
fn templates() -> anyhow::Result<BTreeMap<String, String>> {
    let mut templates = BTreeMap::new();
    for file in project::files()? {
        if file.starts_with(CHART) && file.extension().is_some_and(|it| it == "tpl" || it == "yaml")
        {
            let text = fs::read_to_string(project::root().join(&file))?;
            for define in text.split("define \"").skip(1) {
                let (name, body) = define.split_once('"').context("a define without a name")?;
                templates.insert(name.to_owned(), body.to_owned());
            }
        }
    }
    Ok(templates)
}

/// The flags that are documented, without those that every program has.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let documented = |argument: &&Arg| {
        !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
    };
    command.get_arguments().filter(documented)
}

fn section(program: &Program) -> Section {
    let rows = flags(&program.command).map(row).collect();
    Section { heading: program.name.to_owned(), columns: COLUMNS, rows }
}

fn row(argument: &Arg) -> Row {
    let long = argument.get_long().unwrap_or_else(|| argument.get_id().as_str());
    let key = match argument.get_value_names() {
        Some([name]) if argument.is_positional() => name.to_string(),
        _ => format!("--{long}"),
    };
    let mut name = format!("`{key}`");
    if let Some(short) = argument.get_short() {
        name += &format!(", `-{short}`");
    }
    for alias in argument.get_visible_aliases().unwrap_or_default() {
        name += &format!(", `--{alias}`");
    }
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let variable = argument.get_env().map(|name| format!("`{}`", name.to_string_lossy()));
    let cells = vec![
        name,
        default(argument),
        unit(argument, long).to_owned(),
        meaning(argument, &help),
        variable.unwrap_or_default(),
    ];
    Row { key, cells, unwritten: UNWRITTEN }
}

fn default(argument: &Arg) -> String {
    let values = argument.get_default_values();
    let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
    match (values.as_slice(), argument.get_action()) {
        ([], ArgAction::SetTrue) => "off".to_owned(),
        ([], _) if argument.is_required_set() => "required".to_owned(),
        ([], _) => String::new(),
        ([one], _) if one.is_empty() => "empty".to_owned(),
        (all, _) => format!("`{}`", all.join(",")),
    }
}

fn unit(argument: &Arg, long: &str) -> &'static str {
    let names = argument.get_value_names().unwrap_or_default();
    let by_value = UNITS.iter().find(|(name, _)| names.iter().any(|it| it.as_str() == *name));
    let by_flag = || COUNTS.iter().find(|(name, _)| *name == long);
    by_value.or_else(by_flag).map_or("", |(_, unit)| unit)
}

fn meaning(argument: &Arg, help: &str) -> String {
    let mut meaning = cell(help);
    let takes_values = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let values = argument.get_possible_values();
    let words: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
    let is_bool = words.iter().any(|word| word == "`true`");
    if takes_values && !words.is_empty() && !is_bool {
        meaning += &format!(" ({})", words.join(", "));
    }
    meaning
}

/// The cell says whether the chart sets the flag, and names values that exist.
fn check_chart(argument: &Arg, cell: &str, chart: &str, values: &Value) -> anyhow::Result<()> {
    let flag = match argument.get_long() {
        Some(long) => format!("--{long}"),
        // What follows `--`.
        None => return Ok(()),
    };
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
    let in_arguments = chart.match_indices(&flag).any(|(at, _)| ends(&chart[at + flag.len()..]));
    let variable = argument.get_env().map(|name| format!("name: {},", name.to_string_lossy()));
    let is_set = in_arguments || variable.is_some_and(|variable| chart.contains(&variable));
    ensure!(
        is_set != cell.starts_with(NOT_SET),
        "the chart sets it: {is_set}; the page says {cell:?} ({NOT_SET} where it does not)"
    );
    for word in cell.split('`').skip(1).step_by(2) {
        let is_value = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        let pointer = format!("/{}", word.replace('.', "/"));
        ensure!(!is_value || values.pointer(&pointer).is_some(), "the chart has no value {word}");
    }
    Ok(())
}
