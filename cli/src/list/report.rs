//! What the list says, for people and for scripts.

use podrole_identity::{PatternMatch, RoleArn};
use serde::Serialize;

use super::row::Row;
use crate::{
    api_version::API_VERSION,
    identities::{Identities, Scope},
    report::{Finding, ReportExit, State},
    settings::ClusterSettings,
};

/// Names in a sentence; the rest is counted.
const SHOWN: usize = 5;

/// The list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListReport {
    api_version: &'static str,
    kind: &'static str,
    ok: bool,
    exit_code: u8,
    pub(super) findings: Vec<Finding>,
    pub(super) service_accounts: Vec<Row>,
    /// With `--role`: the patterns that give it to ServiceAccounts that do not exist yet.
    pub(super) patterns: Vec<PatternRow>,
}

/// A pattern that gives a role to ServiceAccounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PatternRow {
    pub(super) pattern: String,
    /// The only namespace that gives the role; `None` for each that the pattern selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    /// The only name that gives the role; `None` for each that the pattern selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_account: Option<String>,
}

impl ListReport {
    pub(super) fn of(
        read: &Identities,
        settings: &ClusterSettings,
        (scope, role): (&Scope, Option<&RoleArn>),
        strict: bool,
    ) -> Self {
        let is_wanted =
            |it: &crate::identities::Identity| role.is_none_or(|role| it.may_become(role.as_str()));
        let wanted = read.of.iter().filter(|(_, identity)| is_wanted(identity));
        let rows = wanted.filter_map(|(of, identity)| Row::of(of, identity, read.is_counted()));
        let service_accounts: Vec<Row> = rows.collect();
        let patterns = role.map_or_else(Vec::new, |role| {
            let matches = read.world.patterns.giving(role.as_str());
            matches.into_iter().filter_map(|it| PatternRow::of(it, scope)).collect()
        });
        let mut findings = findings(read, settings, &service_accounts);
        findings.extend(without_service_account(read, role));
        let exit = ReportExit::of(&findings, strict);
        Self {
            api_version: API_VERSION,
            kind: "ListReport",
            ok: exit == ReportExit::Ok,
            exit_code: exit.code(),
            findings,
            service_accounts,
            patterns,
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl PatternRow {
    fn of(it: PatternMatch, scope: &Scope) -> Option<Self> {
        let PatternMatch { pattern, namespace, service_account } = it;
        let is_elsewhere = match (scope, &namespace) {
            (Scope::Namespace(own), Some(namespace)) => own != namespace,
            _ => false,
        };
        (!is_elsewhere).then_some(Self { pattern, namespace, service_account })
    }
}

/// Associations are for a name: a ServiceAccount that is created with it gets the role.
fn without_service_account(read: &Identities, role: Option<&RoleArn>) -> Option<Finding> {
    let is_wanted = |name: &&String| {
        let association = read.world.associations.get(*name).and_then(|it| it.as_ref().ok());
        let mut roles = association.iter().flat_map(|it| it.role.iter().chain(&it.target_role));
        role.is_none_or(|role| roles.any(|it| it == role))
    };
    let names: Vec<_> = read.without_service_account.iter().filter(is_wanted).collect();
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("associations without a ServiceAccount: {}{more}", shown.join(", "));
    (!names.is_empty()).then(|| Finding::new(State::Note, text))
}

fn findings(read: &Identities, settings: &ClusterSettings, rows: &[Row]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for row in rows {
        let missed = row.pods.map_or(0, |pods| pods.missed);
        if missed > 0 {
            let (namespace, name) = (&row.namespace, &row.service_account);
            let (pods, were) = if missed == 1 { ("pod", "was") } else { ("pods", "were") };
            let message = format!(
                "{missed} {pods} of {namespace}/{name} should have been injected and {were} not"
            );
            let fix = format!("podrole why sa/{name} -n {namespace}");
            let object = format!("ServiceAccount {namespace}/{name}");
            findings.push(Finding::new(State::Error, message).object(object).fix(fix));
        }
    }
    let of_settings = settings.problems.iter().map(|problem| {
        let state = if problem.is_warning() { State::Warning } else { State::Unknown };
        Finding::new(state, problem.to_string())
    });
    findings.extend(of_settings);
    let unread = read.unread.iter().chain(&read.uncounted);
    findings.extend(unread.map(|unread| Finding::unknown(unread.to_string())));
    findings
}
