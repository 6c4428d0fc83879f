//! Proxy exceptions for the agent and for an endpoint in the cluster: without them, several SDKs would
//! send the request for credentials, and the pod's token with it, to the proxy that a container
//! configures, and calls to a Service's name to a proxy that cannot resolve it.

use podrole_identity::{AGENT_ADDRESSES, CredentialProvider, variable};

use super::{desired::DesiredIdentity, expression::Expression};
use crate::pod::{Container, Variable};

/// The missing proxy exceptions of a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Exceptions {
    /// Variables to add.
    pub(super) variables: Vec<(&'static str, Expression)>,
    /// New values of existing variables, by their index.
    pub(super) values: Vec<(usize, Expression)>,
    pub(super) warning: Option<String>,
}

/// The hosts that a container must reach without a proxy: the agent's addresses, and the host of the
/// endpoint that podrole sets, if a proxy is of no use for it.
pub(super) fn hosts(container: &Container, desired: &DesiredIdentity) -> Vec<String> {
    let agent = match desired.provider {
        CredentialProvider::Container => &AGENT_ADDRESSES[..],
        CredentialProvider::WebIdentity => &[],
    };
    let endpoint = desired.local_endpoint_of(container);
    agent.iter().map(|address| (*address).to_owned()).chain(endpoint).collect()
}

/// The hosts in a sentence. The agent's second address is for IPv6-only clusters, and left out.
pub(super) fn listed(hosts: &[String]) -> String {
    let named = hosts.iter().filter(|host| *host != AGENT_ADDRESSES[1]);
    named.map(String::as_str).collect::<Vec<_>>().join(" and ")
}

/// Finds the missing exceptions of a container with a proxy. An existing spelling of `NO_PROXY` is
/// extended and the other one not added: a program that reads both would use only one of them.
pub(super) fn exceptions(container: &Container, hosts: &[String]) -> Exceptions {
    let mut missing = Exceptions::default();
    if hosts.is_empty() || !container.env.iter().any(sets_a_proxy) {
        return missing;
    }
    if !variable::NO_PROXIES.iter().any(|name| container.has_variable(name)) {
        let both = variable::NO_PROXIES.iter();
        let addresses = Expression::literal(&hosts.join(","));
        missing.variables = both.map(|name| (*name, addresses.clone())).collect();
        return missing;
    }
    let existing = container.env.iter().enumerate();
    let existing = existing.filter(|(_, it)| variable::NO_PROXIES.contains(&it.name.as_str()));
    for (index, no_proxy) in existing {
        let Some(value) = no_proxy.literal() else {
            let (container, name) = (&container.name, &no_proxy.name);
            let hosts = listed(hosts);
            let warning = format!("container {container}: add {hosts} to {name}'s source");
            missing.warning = Some(warning);
            continue;
        };
        missing.values.extend(extended(value, hosts).map(|value| (index, value)));
    }
    missing
}

fn sets_a_proxy(variable: &Variable) -> bool {
    variable::PROXIES.contains(&variable.name.as_str()) && variable.literal() != Some("")
}

/// The value with the missing hosts at its end; `None` if none is missing.
fn extended(value: &str, hosts: &[String]) -> Option<Expression> {
    let entries: Vec<&str> = value.split(',').map(str::trim).collect();
    if entries.contains(&"*") {
        return None;
    }
    let missing = hosts.iter().map(String::as_str).filter(|host| !entries.contains(host));
    let missing: Vec<&str> = missing.collect();
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

    fn agent() -> Vec<String> {
        AGENT_ADDRESSES.map(str::to_owned).into()
    }

    const PROXY: &str = r#"{"name":"https_proxy","value":"http://proxy:3128"}"#;

    #[test]
    fn without_a_proxy_nothing_is_added() {
        let env = r#"{"name":"NO_PROXY","value":"x"},{"name":"HTTP_PROXY","value":""}"#;
        assert_eq!(exceptions(&container(env), &agent()), Exceptions::default());
    }

    #[test]
    fn with_a_proxy_and_no_exceptions_both_spellings_are_added() {
        let missing = exceptions(&container(PROXY), &agent());
        let value = Expression::literal("169.254.170.23,fd00:ec2::23");
        assert_eq!(missing.variables, [("NO_PROXY", value.clone()), ("no_proxy", value)]);
        assert!(missing.values.is_empty());
    }

    #[test]
    fn an_existing_spelling_is_extended_and_the_other_not_added() {
        let env = format!(r#"{PROXY},{{"name":"no_proxy","value":"10.0.0.0/8"}}"#);
        let missing = exceptions(&container(&env), &agent());
        assert!(missing.variables.is_empty());
        let value = "10.0.0.0/8,169.254.170.23,fd00:ec2::23";
        assert_eq!((missing.values[0].0, missing.values[0].1.as_str()), (1, value));
    }

    #[test]
    fn a_value_from_another_source_is_kept_with_a_warning() {
        let from = r#"{"name":"NO_PROXY","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}}"#;
        let missing = exceptions(&container(&format!("{PROXY},{from}")), &agent());
        assert!(missing.variables.is_empty() && missing.values.is_empty());
        assert!(missing.warning.unwrap().contains("NO_PROXY"));
    }

    #[test]
    fn an_endpoint_alone_is_an_exception_too() {
        let sandbox = ["sandbox.podrole.svc".to_owned()];
        let missing = exceptions(&container(PROXY), &sandbox);
        assert_eq!(missing.variables[0].1.as_str(), "sandbox.podrole.svc");
        assert_eq!(exceptions(&container(PROXY), &[]), Exceptions::default());
        let all = [agent(), sandbox.into()].concat();
        assert_eq!(listed(&all), "169.254.170.23 and sandbox.podrole.svc");
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
            let extended = extended(value, &agent());
            assert_eq!(extended.as_ref().map(Expression::as_str), expected, "{value}");
        }
    }
}
