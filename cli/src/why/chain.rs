//! All links of one subject, and which of their findings follow from others.

use super::{
    aws::AwsFindings,
    case::Case,
    link::{
        agent, expected, injected, name::Link, namespace, network, other, pod, role, token, webhook,
    },
};
use crate::report::{Code, Finding, State};

/// The findings of each link, in the links' order.
pub(crate) struct Chain {
    pub(crate) links: Vec<(Link, Vec<Finding>)>,
    pub(crate) notes: Vec<Finding>,
}

impl Chain {
    pub(crate) fn of(case: &Case<'_>, aws: &AwsFindings) -> Self {
        let mut links = vec![
            (Link::Pod, pod::check(case)),
            (Link::Namespace, namespace::check(case)),
            (Link::Webhook, webhook::check(case)),
            (Link::Expected, with_settings(case, expected::check(case))),
            (Link::Injected, injected::check(case)),
            (Link::Role, role::check(case)),
            (Link::Other, other::check(case)),
            (Link::Token, token::check(case)),
            (Link::Issuer, aws.issuer()),
            (Link::Agent, agent::check(case)),
            (Link::Aws, aws.trust()),
            (Link::Network, network::check(case)),
        ];
        settle(&mut links);
        for (link, findings) in &mut links {
            for finding in findings {
                finding.link = Some(link.name());
            }
        }
        Self { links, notes: aws.notes() }
    }

    /// All findings, and the notes behind them.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.links.iter().flat_map(|(_, findings)| findings).chain(&self.notes)
    }

    /// Whether nothing of it asks for a role: it has none, and no mistake that would explain it.
    pub(crate) fn wants_no_role(&self) -> bool {
        self.of_link(Link::Role).first().is_some_and(|it| it.code == Some(Code(7)))
    }

    /// The finding that decides about each link: an error before what is unknown, and that before a warning.
    pub(crate) fn deciding(&self) -> impl Iterator<Item = (Link, &Finding)> {
        self.links.iter().filter_map(|(link, findings)| {
            let of = |state| findings.iter().find(|it| it.state == state);
            let worst =
                of(State::Error).or_else(|| of(State::Unknown)).or_else(|| of(State::Warning));
            Some((*link, worst.or_else(|| findings.first())?))
        })
    }

    pub(crate) fn of_link(&self, link: Link) -> &[Finding] {
        let found = self.links.iter().find(|(it, _)| *it == link);
        found.map(|(_, findings)| findings.as_slice()).unwrap_or_default()
    }
}

/// The link that runs this binary's code with the cluster's settings, and what is not known of these.
fn with_settings(case: &Case<'_>, mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.extend(case.settings.findings());
    findings
}

/// The links whose errors follow from an error of `link`.
fn consequences(link: Link, code: Option<Code>) -> &'static [Link] {
    use Link::{Agent, Aws, Expected, Injected, Namespace, Network, Role, Token, Webhook};
    match link {
        // A static pod is outside of all of it.
        Link::Pod if code == Some(Code(44)) => {
            &[Namespace, Webhook, Expected, Injected, Role, Token, Agent, Aws, Network]
        }
        Link::Pod => &[Injected],
        Link::Namespace => &[Expected, Injected],
        Link::Webhook => &[Injected],
        Link::Expected => &[Injected],
        Link::Role => &[Expected, Injected, Agent, Aws],
        _ => &[],
    }
}

/// Each mistake is to give one error. Links behind it that fail for the same reason are skipped, and what is broken
/// without being the reason of this pod's state is a warning.
fn settle(links: &mut [(Link, Vec<Finding>)]) {
    let is_ok = |links: &[(Link, Vec<Finding>)], wanted: Link| {
        let found = links.iter().find(|(link, _)| *link == wanted);
        found.is_some_and(|(_, it)| it.first().is_some_and(|it| it.state == State::Ok))
    };
    if is_ok(links, Link::Injected) {
        for (link, findings) in links.iter_mut() {
            if matches!(link, Link::Namespace | Link::Webhook) {
                let errors = findings.iter_mut().filter(|it| it.state == State::Error);
                errors.for_each(|it| it.state = State::Warning);
            }
        }
    }
    let stores = [Code(37), Code(38)];
    let mut because: Vec<(Link, Option<Code>)> = Vec::new();
    for (link, findings) in links.iter() {
        // A store is another client of the role.
        let errors = findings.iter().filter(|it| it.state == State::Error);
        let error = errors.into_iter().find(|it| !it.code.is_some_and(|it| stores.contains(&it)));
        because.extend(error.map(|error| (*link, error.code)));
    }
    let mut done = Vec::new();
    for (cause, code) in because {
        if done.contains(&cause) {
            continue;
        }
        for later in consequences(cause, code) {
            let Some((_, findings)) = links.iter_mut().find(|(link, _)| link == later) else {
                continue;
            };
            let is_injected = *later == Link::Injected
                && findings.first().is_some_and(|it| it.state == State::Ok);
            if is_injected || done.contains(later) {
                continue;
            }
            let named = code.map_or_else(|| "an earlier error".to_owned(), |it| it.to_string());
            *findings = vec![Finding::skipped(format!("because of {named}"))];
            done.push(*later);
        }
    }
}
