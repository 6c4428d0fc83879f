//! The list as a table.

use super::{
    report::{ListReport, PatternRow},
    row::Row,
};
use crate::{printable::printable, report::verdict};

const HEAD: [&str; 8] = [
    "NAMESPACE",
    "SERVICEACCOUNT",
    "SOURCE",
    "PROVIDER",
    "GUARD-RAIL",
    "INJECTED",
    "MISSED",
    "ROLE",
];

/// The table, the patterns, and what is wrong or unknown. The role is last, because ARNs are long.
pub(super) fn of(report: &ListReport) -> String {
    let rows: Vec<_> = report.service_accounts.iter().map(cells).collect();
    let mut text = String::new();
    if rows.is_empty() {
        text.push_str("No ServiceAccount has a role.\n");
    } else {
        let mut widths = HEAD.map(str::len);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        text.push_str(&line(&HEAD.map(str::to_owned), &widths));
        rows.iter().for_each(|row| text.push_str(&line(row, &widths)));
    }
    for pattern in &report.patterns {
        text.push_str(&of_pattern(pattern));
    }
    if !report.findings.is_empty() {
        text.push('\n');
    }
    report.findings.iter().for_each(|finding| text.push_str(&verdict(finding)));
    text
}

fn cells(row: &Row) -> [String; 8] {
    let pods = |count: fn(&super::row::Pods) -> usize| {
        row.pods.as_ref().map_or_else(|| "?".to_owned(), |pods| count(pods).to_string())
    };
    let source = match &row.pattern {
        Some(pattern) => format!("{} {pattern}", row.source),
        None => row.source.to_owned(),
    };
    let role = match (&row.role, &row.summary) {
        (Some(role), _) => role.clone(),
        (None, Some(why)) => format!("denied: {why}"),
        (None, None) => "chosen by EKS".to_owned(),
    };
    [
        row.namespace.clone(),
        row.service_account.clone(),
        source,
        row.provider.clone(),
        row.guardrail.as_str().to_owned(),
        pods(|it| it.injected),
        pods(|it| it.missed),
        role,
    ]
    .map(|cell| printable(&cell))
}

fn line(cells: &[String; 8], widths: &[usize; 8]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(cell);
        let pad = width.saturating_sub(cell.chars().count()) + 2;
        line.extend(std::iter::repeat_n(' ', pad));
    }
    format!("{}\n", line.trim_end())
}

fn of_pattern(row: &PatternRow) -> String {
    let PatternRow { pattern, namespace, service_account } = row;
    let any = "that it selects";
    let name = service_account.as_ref();
    let name = name.map_or_else(|| format!("each name {any}"), |it| format!("the name {it}"));
    let namespace = namespace.as_ref();
    let place =
        namespace.map_or_else(|| format!("each namespace {any}"), |it| format!("namespace {it}"));
    let text = format!(
        "PodIdentityPattern {pattern} gives the role to new ServiceAccounts with {name} in {place}"
    );
    format!("{}\n", printable(&text))
}
