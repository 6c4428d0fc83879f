//! The report as text: the verdict, the fix, then the links.

use std::fmt::Write as _;

use podrole_identity::RoleArn;

use super::{
    aws::ADD_AWS,
    case::Case,
    chain::Chain,
    link::{injected, name::Link},
    report::MOST_FINDINGS,
    target::Target,
};
use crate::{
    printable::printable,
    report::{Code, Finding, State, detail, state, verdict},
};

/// The width of a link's name and of a state in the list of all links.
const NAME: usize = 10;
const STATE: usize = 8;

/// What is printed about one subject.
pub(super) fn text(case: &Case<'_>, chain: &Chain, verbose: bool) -> String {
    let of = |wanted: State| chain.findings().filter(move |it| it.state == wanted);
    let Some(first) = of(State::Error).next() else {
        let unknown: Vec<&Finding> = of(State::Unknown).collect();
        return if unknown.is_empty() {
            healthy(case, chain)
        } else {
            not_known(case, chain, &unknown, verbose)
        };
    };
    let mut text = verdict(&with_after(case, first));
    text.push_str(&pods(case));
    let others = of(State::Error).skip(1).chain(of(State::Warning)).chain(of(State::Unknown));
    let others: Vec<&Finding> = others.collect();
    for finding in others.iter().take(MOST_FINDINGS) {
        text.push_str(&verdict(&with_after(case, finding)));
    }
    if let Some(more @ 1..) = others.len().checked_sub(MOST_FINDINGS) {
        let _ = writeln!(text, "  and {more} more; -o json has them");
    }
    if verbose {
        text.push_str(&links(chain));
    } else {
        text.push_str(&summary(chain));
    }
    text
}

/// `ok: pod shop/web-1 gets ROLE by web-identity`, then each link with its evidence.
fn healthy(case: &Case<'_>, chain: &Chain) -> String {
    let shown = case.subject.shown();
    let verb = if case.subject.stored().is_some() { "gets" } else { "will get" };
    let binding = case.decided.as_ref().ok().map(|it| &it.binding);
    let provider = binding.and_then(|it| it.provider);
    let role =
        binding.and_then(|it| it.role()).map_or("the role that EKS chooses", RoleArn::as_str);
    let mut message = match provider {
        Some(provider) => format!("{shown} {verb} {role} by {provider}"),
        None => format!("{shown} has no role, and no source names one"),
    };
    let aws_skipped = chain.of_link(Link::Aws).first().is_some_and(|it| it.state == State::Skipped);
    if aws_skipped {
        let _ = write!(message, " (AWS not checked: {ADD_AWS})");
    }
    let mut text = verdict(&Finding::ok(message));
    text.push_str(&links(chain));
    text.push_str(&pods(case));
    for warning in chain.findings().filter(|it| it.state == State::Warning).take(MOST_FINDINGS) {
        text.push_str(&verdict(warning));
    }
    for note in &chain.notes {
        let _ = writeln!(text, "  note: {}", printable(&note.message));
    }
    text
}

/// Nothing is wrong as far as it could be read.
fn not_known(case: &Case<'_>, chain: &Chain, unknown: &[&Finding], verbose: bool) -> String {
    let links: Vec<&str> = unknown.iter().filter_map(|it| it.link).collect();
    let message = format!(
        "nothing is wrong with {} as far as it could be read; not known: {}",
        case.subject.shown(),
        links.join(", ")
    );
    let mut text = verdict(&Finding::unknown(message));
    for finding in unknown.iter().take(MOST_FINDINGS) {
        text.push_str(&detail(finding.link.unwrap_or("unknown"), &finding.message));
    }
    text.push_str(&pods(case));
    for warning in chain.findings().filter(|it| it.state == State::Warning).take(MOST_FINDINGS) {
        text.push_str(&verdict(warning));
    }
    text.push_str(&if verbose { self::links(chain) } else { summary(chain) });
    text
}

/// One line for each link.
fn links(chain: &Chain) -> String {
    let mut text = String::new();
    for (link, first) in chain.deciding() {
        let code = first.code.map_or_else(String::new, |code| format!("{code}: "));
        let _ = writeln!(
            text,
            "{:>4} {:NAME$} {} {code}{}",
            link.number(),
            link.name(),
            state(first.state, STATE),
            printable(&first.message)
        );
    }
    text
}

/// One line that names the links without an error: `ok: pod webhook; skipped because of PR001: expected`.
fn summary(chain: &Chain) -> String {
    let ok = chain.deciding().filter(|(_, it)| it.state == State::Ok).map(|(link, _)| link.name());
    let ok: Vec<&str> = ok.collect();
    let mut parts = Vec::new();
    if !ok.is_empty() {
        parts.push(format!("ok: {}", ok.join(" ")));
    }
    let skipped = || chain.deciding().filter(|(_, it)| it.state == State::Skipped);
    let mut reasons: Vec<&str> = skipped()
        .map(|(_, it)| it.message.as_str())
        .filter(|it| it.starts_with("because of "))
        .collect();
    reasons.dedup();
    for reason in &reasons {
        let names = skipped().filter(|(_, it)| it.message == *reason).map(|(link, _)| link.name());
        parts.push(format!("skipped {reason}: {}", names.collect::<Vec<_>>().join(" ")));
    }
    let rest: Vec<_> =
        skipped().filter(|(_, it)| !reasons.contains(&it.message.as_str())).collect();
    let needs_aws = rest.iter().any(|(_, it)| it.message == ADD_AWS);
    let names = rest.iter().map(|(link, finding)| match finding.message.split_once(' ') {
        // Of a provider that does not use a part.
        Some((provider, _)) if !needs_aws && *link == Link::Agent => {
            format!("{} ({provider})", link.name())
        }
        _ => link.name().to_owned(),
    });
    let names: Vec<String> = names.collect();
    if needs_aws {
        parts.push(format!("skipped: {} ({ADD_AWS})", names.join(" ")));
    } else if !names.is_empty() {
        parts.push(format!("skipped: {}", names.join(", ")));
    }
    if parts.is_empty() { String::new() } else { format!("  {}\n", parts.join("; ")) }
}

/// Which pod was examined, and whether the workload's others have the same.
fn pods(case: &Case<'_>) -> String {
    let Some(pod) = case.subject.stored() else { return String::new() };
    let others = &case.subject.others;
    if others.is_empty() || matches!(case.subject.target, Target::Pod(_)) {
        return String::new();
    }
    let own = injected::is_complete(case, pod);
    let differ = others.iter().filter(|it| injected::is_complete(case, it) != own).count();
    let agree = match differ {
        0 => "the others agree".to_owned(),
        1 => "1 other differs".to_owned(),
        _ => format!("{differ} others differ"),
    };
    detail("pod", &format!("{}, newest of {}; {agree}", pod.name(), others.len() + 1))
}

/// Says how many pods run without credentials until they are restarted.
fn with_after(case: &Case<'_>, finding: &Finding) -> Finding {
    let restarts = [Code(1), Code(2), Code(3)];
    let needs =
        finding.state == State::Error && finding.code.is_some_and(|it| restarts.contains(&it));
    let (Some(workload), true) = (case.subject.workload_name(), needs) else {
        return finding.clone();
    };
    if case.subject.stored().is_none() || finding.after.is_some() {
        return finding.clone();
    }
    let (count, verb, pronoun) = match case.subject.others.len() + 1 {
        1 => ("1 pod".to_owned(), "runs", "it is"),
        count => (format!("{count} pods"), "run", "they are"),
    };
    finding.clone().after(format!(
        "{count} of {workload} {verb} without AWS credentials until {pronoun} restarted"
    ))
}
