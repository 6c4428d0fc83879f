//! A container's variables, and Kubernetes's `$(NAME)` in them and in arguments.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::EnvVar;

/// The variables that a container's manifest names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment(BTreeMap<String, Variable>);

/// The value of a variable, as far as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Literal(String),
    /// It comes from a Secret, a ConfigMap or the pod's fields.
    Reference,
}

/// A text names a variable whose value is not in the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotLiteral(pub(super) String);

impl Environment {
    /// Reads variables in order: a value may refer to those before it.
    pub(super) fn read(variables: &[EnvVar]) -> Self {
        let mut read = Self::default();
        for variable in variables {
            let value = match (&variable.value_from, variable.value.as_deref()) {
                (Some(_), _) => Variable::Reference,
                (None, value) => match read.expand(value.unwrap_or_default()) {
                    Ok(text) => Variable::Literal(text),
                    Err(NotLiteral(_)) => Variable::Reference,
                },
            };
            read.0.insert(variable.name.clone(), value);
        }
        read
    }

    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.0.get(name)
    }

    /// Replaces each `$(NAME)`, as the kubelet does: `$$` is `$`, and an unknown name stays as it is.
    ///
    /// # Errors
    /// If a value is not in the manifest.
    pub(super) fn expand(&self, text: &str) -> Result<String, NotLiteral> {
        let (mut expanded, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
                continue;
            }
            let reference = rest.strip_prefix('(').and_then(|it| it.split_once(')'));
            let Some((name, after)) = reference else {
                expanded.push('$');
                continue;
            };
            match self.get(name) {
                Some(Variable::Literal(value)) => expanded.push_str(value),
                Some(Variable::Reference) => return Err(NotLiteral(name.to_owned())),
                None => expanded.push_str(&format!("$({name})")),
            }
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment() -> Environment {
        let variables = json!([
            {"name": "REGION", "value": "eu-west-1"},
            {"name": "URL", "value": "https://sts.$(REGION).example"},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "BOTH", "value": "$(NODE_NAME)-x"},
            {"name": "EMPTY"},
        ]);
        Environment::read(&serde_json::from_value::<Vec<EnvVar>>(variables).unwrap())
    }

    #[test]
    fn references_are_replaced_as_the_kubelet_replaces_them() {
        for (text, expected) in [
            ("--region=$(REGION)", "--region=eu-west-1"),
            ("$(URL)/$(URL)", "https://sts.eu-west-1.example/https://sts.eu-west-1.example"),
            ("$$(REGION)", "$(REGION)"),
            ("$$$(REGION)", "$eu-west-1"),
            ("$(OTHER)", "$(OTHER)"),
            ("[$(EMPTY)]", "[]"),
            ("a$b $(REGION", "a$b $(REGION"),
            ("ends with $", "ends with $"),
        ] {
            assert_eq!(environment().expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_value_that_the_manifest_does_not_have_is_not_guessed() {
        assert_eq!(environment().expand("$(NODE_NAME)"), Err(NotLiteral("NODE_NAME".to_owned())));
        assert_eq!(environment().get("BOTH"), Some(&Variable::Reference));
        assert_eq!(environment().get("OTHER"), None);
    }
}
