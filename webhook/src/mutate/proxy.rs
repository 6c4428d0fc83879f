//! Exceptions from proxies: several SDKs would send the agent's request, and the pod's token with
//! it, to the proxy that a container names.

use podrole_identity::variable;

use crate::pod::{Container, Variable};

/// Where agents listen. The IPv6 address stands bare: clients do not match it in brackets.
const AGENT_ADDRESSES: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];

/// What a container's proxy settings lack.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Exceptions {
    /// Variables to add.
    pub(super) variables: Vec<(&'static str, String)>,
    /// New values of variables that are there, by their index.
    pub(super) values: Vec<(usize, String)>,
    pub(super) warning: Option<String>,
}

/// The exceptions that a container with a proxy lacks. Whichever of the two spellings exists is
/// extended: programs that find one do not look at the other.
pub(super) fn exceptions(container: &Container) -> Exceptions {
    let mut lacks = Exceptions::default();
    if !container.env.iter().any(names_a_proxy) {
        return lacks;
    }
    if !variable::NO_PROXIES.iter().any(|name| container.has_variable(name)) {
        let both = variable::NO_PROXIES.iter();
        lacks.variables = both.map(|name| (*name, AGENT_ADDRESSES.join(","))).collect();
        return lacks;
    }
    let there = container.env.iter().enumerate();
    let there = there.filter(|(_, set)| variable::NO_PROXIES.contains(&set.name.as_str()));
    for (index, set) in there {
        let Some(value) = set.literal() else {
            let (container, name) = (&container.name, &set.name);
            let warning = format!("container {container}: {name} should name 169.254.170.23");
            lacks.warning = Some(warning);
            continue;
        };
        lacks.values.extend(extended(value).map(|value| (index, value)));
    }
    lacks
}

fn names_a_proxy(set: &Variable) -> bool {
    variable::PROXIES.contains(&set.name.as_str()) && set.literal() != Some("")
}

/// The value with what it lacks at its end; `None` where it lacks nothing.
fn extended(value: &str) -> Option<String> {
    let named: Vec<&str> = value.split(',').map(str::trim).collect();
    if named.contains(&"*") {
        return None;
    }
    let missing = AGENT_ADDRESSES.iter().filter(|address| !named.contains(*address));
    let missing: Vec<&str> = missing.copied().collect();
    if missing.is_empty() {
        return None;
    }
    let separator = match value.trim_end() {
        "" => "",
        value if value.ends_with(',') => "",
        _ => ",",
    };
    Some(format!("{value}{separator}{}", missing.join(",")))
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
        let lacks = exceptions(&container(PROXY));
        let value = "169.254.170.23,fd00:ec2::23".to_owned();
        assert_eq!(lacks.variables, [("NO_PROXY", value.clone()), ("no_proxy", value)]);
        assert!(lacks.values.is_empty());
    }

    #[test]
    fn the_spelling_that_exists_is_extended_and_the_other_not_added() {
        let env = format!(r#"{PROXY},{{"name":"no_proxy","value":"10.0.0.0/8"}}"#);
        let lacks = exceptions(&container(&env));
        assert!(lacks.variables.is_empty());
        let value = "10.0.0.0/8,169.254.170.23,fd00:ec2::23".to_owned();
        assert_eq!(lacks.values, [(1, value)]);
    }

    #[test]
    fn a_value_from_elsewhere_is_left_with_a_warning() {
        let from = r#"{"name":"NO_PROXY","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}}"#;
        let lacks = exceptions(&container(&format!("{PROXY},{from}")));
        assert!(lacks.variables.is_empty() && lacks.values.is_empty());
        assert!(lacks.warning.unwrap().contains("NO_PROXY"));
    }

    #[test]
    fn only_what_is_missing_is_added() {
        for (value, expected) in [
            ("", Some("169.254.170.23,fd00:ec2::23")),
            ("a,", Some("a,169.254.170.23,fd00:ec2::23")),
            ("169.254.170.23", Some("169.254.170.23,fd00:ec2::23")),
            ("fd00:ec2::23 , a", Some("fd00:ec2::23 , a,169.254.170.23")),
            ("a, 169.254.170.23,fd00:ec2::23", None),
            ("*", None),
        ] {
            assert_eq!(extended(value).as_deref(), expected, "{value}");
        }
    }
}
