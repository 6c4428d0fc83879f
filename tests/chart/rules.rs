//! Webhook and agent get the same rules for the roles of ServiceAccounts, in each mode.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use podrole_runtime::grant_args::GrantArgs;
use serde_json::Value;

use crate::{golden::MODES, helm, objects};

/// More values that decide about roles than the modes have.
const ALL_RULES: [&str; 9] = [
    "exchange=assume-role",
    "cluster.name=shop",
    "cluster.arn=arn:aws:eks:eu-west-1:111122223333:cluster/shop",
    "agent.allowAnnotationRoles=true",
    "agent.disableSessionTags=true",
    "composeRoleArn.accountId=111122223333",
    "composeRoleArn.partition=aws-cn",
    "injection.credentials=container",
    "injection.annotationPrefix=example.org",
];

#[test]
fn both_daemons_decide_by_the_same_rules_in_each_mode() -> anyhow::Result<()> {
    let modes =
        MODES.iter().map(|(mode, set)| (*mode, *set)).chain([("all rules", &ALL_RULES[..])]);
    let mut compared = 0;
    for (mode, set) in modes {
        let programs = programs(&helm::template(set)?)?;
        if mode == "policy" {
            ensure!(!programs.contains_key("podrole-webhook"), "a webhook in mode {mode}");
            continue;
        }
        let webhook = programs.get("podrole-webhook").context("no webhook")?;
        let webhook = podrole_webhook::Args::try_parse_from(webhook)?;
        let Some(agent) = programs.get("podrole-agent") else {
            continue;
        };
        let agent = podrole_agent::Args::try_parse_from(agent)?;
        let shown = |grant: &GrantArgs| format!("{grant:#?}");
        let (webhook_rules, agent_rules) = (shown(&webhook.grant), shown(&agent.grant));
        ensure!(webhook_rules == agent_rules, "{mode}: {webhook_rules}\n{agent_rules}");
        compared += 1;
    }
    ensure!(compared >= 10, "only {compared} modes have both daemons");
    Ok(())
}

/// The first container of each program that serves, with its flags.
fn programs(rendered: &str) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut programs = BTreeMap::new();
    for object in objects::read(rendered)? {
        let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            let words = |field: &str| container[field].as_array().into_iter().flatten();
            let words = words("command").chain(words("args")).filter_map(Value::as_str);
            let mut words: Vec<String> = words.map(str::to_owned).collect();
            // The agent's own command follows that of its parent process.
            if let Some(end) = words.iter().position(|word| word == "--") {
                words.drain(..=end);
            }
            let Some(program) = words.first().and_then(|word| word.rsplit('/').next()) else {
                continue;
            };
            // The controller is a subcommand of the webhook's program, and decides about no roles.
            if words.get(1).is_none_or(|word| word.starts_with('-')) {
                programs.entry(program.to_owned()).or_insert(words);
            }
        }
    }
    Ok(programs)
}
