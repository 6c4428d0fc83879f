//! The variables of a pod's containers that its author set, apart from those that the webhook added.

use podrole_identity::{CredentialProvider, variable};
use serde_json::Value;

use super::subject::Subject;

/// A variable of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable<'a> {
    pub(crate) name: &'a str,
    /// Its literal value; `None` if it comes from elsewhere.
    pub(crate) value: Option<&'a str>,
}

/// A pod's containers: those that last, then init containers.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod["spec"][list].as_array().into_iter().flatten())
}

pub(crate) fn name(container: &Value) -> &str {
    container["name"].as_str().unwrap_or_default()
}

/// The variables of a container that have a value or a source.
pub(crate) fn variables(container: &Value) -> Vec<Variable<'_>> {
    let env = container["env"].as_array().into_iter().flatten();
    let set = env.filter_map(|it| {
        let name = it["name"].as_str()?;
        let literal = it["value"].as_str().filter(|value| !value.is_empty());
        let is_set = literal.is_some() || it["valueFrom"].is_object();
        is_set.then_some(Variable { name, value: literal })
    });
    set.collect()
}

/// Whether a variable of the examined pod was added when it was created. The workload's template shows it; without
/// a workload the token's volume does.
pub(crate) fn was_added(subject: &Subject, container: &str, variable: &str) -> bool {
    let Some(pod) = subject.stored() else { return false };
    let has = |pod: &Value| {
        let mut found = containers(pod).filter(|it| name(it) == container);
        found.any(|it| variables(it).iter().any(|it| it.name == variable))
    };
    if !has(pod.json()) {
        return false;
    }
    match &subject.template {
        Some(template) => !has(template),
        None => of_provider(variable).is_some_and(|provider| has_token(pod.json(), provider)),
    }
}

/// Whether a volume projects the token of a provider, as the webhook adds it.
pub(crate) fn has_token(pod: &Value, provider: CredentialProvider) -> bool {
    let volume = provider.token_volume().name;
    let mut volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.any(|it| it["name"] == volume.as_str() && it["projected"].is_object())
}

fn of_provider(variable: &str) -> Option<CredentialProvider> {
    match variable {
        variable::ROLE_ARN | variable::WEB_IDENTITY_TOKEN_FILE => {
            Some(CredentialProvider::WebIdentity)
        }
        variable::CONTAINER_FULL_URI | variable::CONTAINER_TOKEN_FILE => {
            Some(CredentialProvider::Container)
        }
        _ => None,
    }
}
