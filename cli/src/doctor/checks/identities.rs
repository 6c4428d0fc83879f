//! ServiceAccounts and their pods.

use podrole_identity::{Association, Kind};

use super::nodes::some;
use crate::{
    identities::Identities,
    report::{Code, Finding},
    settings::ClusterSettings,
};

/// Why nothing is said of roles.
fn unread(code: Code, identities: &Identities) -> Option<Finding> {
    let unread = identities.unread.first()?;
    Some(Finding::unknown(unread.to_string()).coded(code))
}

pub(super) fn missed(identities: &Identities) -> Finding {
    let code = Code(113);
    let unread = identities.unread.iter().chain(&identities.uncounted).next();
    if let Some(unread) = unread {
        return Finding::unknown(unread.to_string()).coded(code);
    }
    let of = identities.of.iter().filter(|(_, identity)| identity.pods.missed > 0);
    let named: Vec<_> = of.clone().map(|(name, _)| name.to_string()).collect();
    let missed: usize = of.map(|(_, identity)| identity.pods.missed).sum();
    let injected: usize = identities.of.values().map(|identity| identity.pods.injected).sum();
    if missed == 0 {
        return Finding::ok(format!("{injected} pods are injected, none was missed")).coded(code);
    }
    let text = format!("{missed} pods should have been injected and were not, of {}", some(&named));
    Finding::error(code, text).fix("podrole list -A, then podrole why sa/NAME -n NAMESPACE")
}

pub(super) fn without_service_account(identities: &Identities) -> Finding {
    let code = Code(114);
    if let Some(finding) = unread(code, identities) {
        return finding;
    }
    let names = &identities.without_service_account;
    let all = identities.world.associations.len();
    if names.is_empty() {
        return Finding::ok(format!("each of {all} associations has its ServiceAccount"))
            .coded(code);
    }
    let plural = Kind::Association.plural();
    let text = format!(
        "{} of {all} associations name no ServiceAccount that exists: {}",
        names.len(),
        some(names)
    );
    Finding::warning(code, text)
        .fix(format!("create the ServiceAccounts, or kubectl delete {plural} NAME"))
}

/// The association list has no effect on a ServiceAccount with an object.
pub(super) fn listed_twice(identities: &Identities, settings: &ClusterSettings) -> Finding {
    let code = Code(115);
    if settings.list.is_empty() {
        return Finding::skipped("there is no association list").coded(code);
    }
    if let Some(finding) = unread(code, identities) {
        return finding;
    }
    let mut differing = Vec::new();
    for association in identities.world.associations.values().flatten() {
        let listed = settings.list.find(&association.service_account);
        let differs = |it: &&Association| it.last_role() != association.last_role();
        differing.extend(listed.filter(differs).map(|it| it.service_account.to_string()));
    }
    differing.sort();
    if differing.is_empty() {
        let text = format!(
            "no entry of the association list ({}) contradicts an object",
            settings.list.len()
        );
        return Finding::ok(text).coded(code);
    }
    let text = format!(
        "the association list and a PodIdentityAssociation name different roles, and the object decides: {}",
        some(&differing)
    );
    Finding::warning(code, text).fix("remove the entries from the chart's value associations")
}
