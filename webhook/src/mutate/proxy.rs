//! Proxy exceptions for the agent: without them, several SDKs would send the request for
//! credentials, and the pod's token with it, to the proxy that a container configures.

use podrole_identity::variable;

use super::expression::Expression;
use crate::pod::{Container, Variable};

/// The agent's addresses. The IPv6 address has no brackets, because clients do not match it with
/// them.
const AGENT_ADDRESSES: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];

/// The missing proxy exceptions of a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Exceptions {
    /// Variables to add.
    pub(super) variables: Vec<(&'static str, Expression)>,
    /// New values of existing variables, by their index.
    pub(super) values: Vec<(usize, Expression)>,
    pub(super) warning: Option<String>,
}

/// Finds the missing exceptions of a container with a proxy. An existing spelling of `NO_PROXY` is
/// extended and the other one not added: a program that reads both would use only one of them.
pub(super) fn exceptions(container: &Container) -> Exceptions {
    let mut missing = Exceptions::default();
    if !container.env.iter().any(sets_a_proxy) {
        return missing;
    }
    if !variable::NO_PROXIES.iter().any(|name| container.has_variable(name)) {
        let both = variable::NO_PROXIES.iter();
        let addresses = Expression::literal(&AGENT_ADDRESSES.join(","));
        missing.variables = both.map(|name| (*name, addresses.clone())).collect();
        return missing;
    }
    let existing = container.env.iter().enumerate();
    let existing = existing.filter(|(_, it)| variable::NO_PROXIES.contains(&it.name.as_str()));
    for (index, no_proxy) in existing {
        let Some(value) = no_proxy.literal() else {
            let (container, name) = (&container.name, &no_proxy.name);
            let warning = format!("container {container}: add 169.254.170.23 to {name}'s source");
            missing.warning = Some(warning);
            continue;
        };
        missing.values.extend(extended(value).map(|value| (index, value)));
    }
    missing
}

fn sets_a_proxy(variable: &Variable) -> bool {
    variable::PROXIES.contains(&variable.name.as_str()) && variable.literal() != Some("")
}

/// The value with the missing addresses at its end; `None` if none is missing.
fn extended(value: &str) -> Option<Expression> {
    let entries: Vec<&str> = value.split(',').map(str::trim).collect();
    if entries.contains(&"*") {
        return None;
    }
    let missing = AGENT_ADDRESSES.iter().filter(|address| !entries.contains(*address));
    let missing: Vec<&str> = missing.copied().collect();
    if missing.is_empty() {
        return None;
    }
    let separator = match value.trim_end() {
        "" => "",
        value if value.ends_with(',') => "",
        _ => ",",
    };
    Some(Expression::extended(value, &format!("{separator}{}", missing.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(env: &str) -> Container {
        serde_json::from_str(&format!(r#"{{"name":"web","env":[{env}]}}"#)).unwrap()
    }

    const PROXY: &str = r#"{"name":"https_proxy","value":"http://proxy:3128"}"#;

    #[test]
    fn without_a_proxy_nothing_is_added() {
        let env = r#"{"name":"NO_PROXY","value":"x"},{"name":"HTTP_PROXY","value":""}"#;
        assert_eq!(exceptions(&container(env)), Exceptions::default());
    }

    #[test]
    fn with_a_proxy_and_no_exceptions_both_spellings_are_added() {
        let missing = exceptions(&container(PROXY));
        let value = Expression::literal("169.254.170.23,fd00:ec2::23");
        assert_eq!(missing.variables, [("NO_PROXY", value.clone()), ("no_proxy", value)]);
        assert!(missing.values.is_empty());
    }

    #[test]
    fn an_existing_spelling_is_extended_and_the_other_not_added() {
        let env = format!(r#"{PROXY},{{"name":"no_proxy","value":"10.0.0.0/8"}}"#);
        let missing = exceptions(&container(&env));
        assert!(missing.variables.is_empty());
        let value = "10.0.0.0/8,169.254.170.23,fd00:ec2::23";
        assert_eq!((missing.values[0].0, missing.values[0].1.as_str()), (1, value));
    }

    #[test]
    fn a_value_from_another_source_is_kept_with_a_warning() {
        let from = r#"{"name":"NO_PROXY","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}}"#;
        let missing = exceptions(&container(&format!("{PROXY},{from}")));
        assert!(missing.variables.is_empty() && missing.values.is_empty());
        assert!(missing.warning.unwrap().contains("NO_PROXY"));
    }

    #[test]
    fn only_missing_addresses_are_added() {
        for (value, expected) in [
            ("", Some("169.254.170.23,fd00:ec2::23")),
            ("a,", Some("a,169.254.170.23,fd00:ec2::23")),
            ("169.254.170.23", Some("169.254.170.23,fd00:ec2::23")),
            ("fd00:ec2::23 , a", Some("fd00:ec2::23 , a,169.254.170.23")),
            ("a, 169.254.170.23,fd00:ec2::23", None),
            ("*", None),
            // References of the container's author stay theirs.
            ("$(HOSTS)", Some("$(HOSTS),169.254.170.23,fd00:ec2::23")),
        ] {
            let extended = extended(value);
            assert_eq!(extended.as_ref().map(Expression::as_str), expected, "{value}");
        }
    }
}
