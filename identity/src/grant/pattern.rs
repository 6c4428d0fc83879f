//! What can be said of a pattern before it meets a ServiceAccount.

use serde_json::Value;

use super::{Denial, Facts, GrantRules, Sources, grant};
use crate::{
    Guardrails, Labels, NamespaceFacts, Patterns, RawObject, ServiceAccountAnnotations,
    ServiceAccountRef, kinds::selecting_all,
};

/// The denial that every pod which a pattern selects would get, whatever its ServiceAccount: the
/// pattern's own text is wrong, or it does not go with the cluster's rules. Guard-rails differ from
/// namespace to namespace, and are not asked.
#[must_use]
pub fn denial_of_pattern(name: &str, spec: &Value, rules: &GrantRules) -> Option<Denial> {
    let service_account = ServiceAccountRef::new("any", "any").ok()?;
    let spec = selecting_all(spec);
    let patterns = Patterns::read([RawObject { name, created: None, spec: &spec }]);
    let (annotations, labels) = (ServiceAccountAnnotations::default(), Labels::new());
    let sources =
        Sources { association: None, listed: None, annotations: &annotations, role_map: None };
    let facts = Facts {
        service_account: &service_account,
        labels: &labels,
        sources,
        patterns: &patterns,
        guardrails: Guardrails::none(),
        namespace: &NamespaceFacts::default(),
        provider: None,
    };
    grant(&facts, rules).err()
}
