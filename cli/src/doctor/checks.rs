//! The checks, one for each code. Pure.

mod identities;
mod installation;
mod nodes;
mod webhook;

use jiff::Timestamp;

use super::seen::Seen;
use crate::report::Finding;

/// What all checks find, in the order of their codes.
pub(super) fn all(seen: &Seen, now: Timestamp) -> Vec<Finding> {
    vec![
        installation::versions(&seen.settings),
        installation::kubernetes(&seen.server),
        installation::settings(&seen.settings),
        installation::kinds(&seen.kinds, &seen.settings),
        webhook::registered(&seen.configurations, &seen.settings),
        webhook::ca_bundle(&seen.configurations, &seen.settings, now),
        webhook::endpoints(&seen.endpoints, &seen.settings),
        webhook::other_injectors(&seen.configurations, &seen.settings),
        nodes::agents(&seen.daemon_sets, &seen.settings),
        nodes::without_agent(&seen.nodes, &seen.nodes_with_agent, &seen.settings),
        nodes::other_agents(&seen.daemon_sets),
        nodes::clocks(&seen.clocks),
        identities::missed(&seen.identities),
        identities::without_service_account(&seen.identities),
        identities::listed_twice(&seen.identities, &seen.settings),
    ]
}
