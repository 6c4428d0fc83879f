//! The ConfigMap of roles, as the watch delivers it.

use podrole_identity::{ROLE_MAP_NAME, RoleComposer, RoleMap};
use podrole_runtime::latest::Latest;

use crate::{Metrics, metrics::Source};

/// Takes the ConfigMap's new text; `None` if the ConfigMap was deleted. Text that is not a JSON
/// object leaves the roles as they were.
pub(crate) fn update(
    roles: &Latest<RoleMap>,
    text: Option<&str>,
    composer: Option<&RoleComposer>,
    metrics: &Metrics,
) {
    match RoleMap::read(text.unwrap_or("{}"), composer) {
        Ok((map, problems)) => {
            for problem in &problems {
                tracing::warn!(%problem, "could not use an entry of the ConfigMap {ROLE_MAP_NAME}; granting no role for it");
            }
            metrics.source_errors(Source::ConfigMap, problems.len());
            roles.set(map);
        }
        Err(error) => {
            tracing::error!(%error, "could not read the ConfigMap {ROLE_MAP_NAME}; keeping its last good content");
            metrics.source_errors(Source::ConfigMap, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role_of(map: &RoleMap) -> Option<String> {
        map.find(&"shop/app".parse().unwrap())?.ok().map(|entry| entry.role.name().to_owned())
    }

    #[test]
    fn text_that_is_not_a_map_changes_nothing_and_a_deletion_empties() {
        let (roles, metrics) = (Latest::default(), Metrics::default());
        let text = r#"{"shop/app":{"RoleARN":"arn:aws:iam::111122223333:role/a"}}"#;
        update(&roles, Some("{"), None, &metrics);
        assert!(roles.current().is_none(), "roles that were never read are unknown, not absent");
        update(&roles, Some(text), None, &metrics);
        for bad in ["{", "[]", "7"] {
            update(&roles, Some(bad), None, &metrics);
            assert_eq!(role_of(&roles.current().unwrap()).as_deref(), Some("a"));
        }
        update(&roles, None, None, &metrics);
        assert_eq!(role_of(&roles.current().unwrap()), None);
        update(&roles, Some(text), None, &metrics);
        update(&roles, Some(" "), None, &metrics);
        assert_eq!(role_of(&roles.current().unwrap()), None);
    }
}
