//! Link 12: whether the pod's network lets it reach the agent.

use std::net::IpAddr;

use podrole_identity::{AGENT_ADDRESSES, CredentialProvider};
use podrole_webhook::cluster::selector;
use serde_json::Value;

use crate::{
    report::{Code, Finding},
    why::{
        added::added,
        case::Case,
        object::{Object, texts},
        own::{containers, name},
        resource::Resource,
        shell::quoted,
    },
};

/// The port of the agent's address.
const PORT: i64 = 80;
/// Istio's container, as a container or a native sidecar.
const ISTIO_PROXY: &str = "istio-proxy";
/// Istio's annotation of addresses that it does not capture.
const EXCLUDED: &str = "traffic.sidecar.istio.io/excludeOutboundIPRanges";

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(pod) = case.subject.examined() else {
        return vec![Finding::skipped("there is no pod")];
    };
    let mut findings: Vec<Finding> = proxy(case).into_iter().chain(sidecar(case, pod)).collect();
    let policies = match case.world.in_namespace(Resource::NetworkPolicy, case.namespace()) {
        Err(missing) => {
            findings.push(missing.finding());
            return findings;
        }
        Ok(policies) => policies,
    };
    let labels = texts(pod.pointer("/metadata/labels"));
    let selecting: Vec<&Object> = policies.filter(|it| selects(it, &labels)).collect();
    let is_container = provider(case) == Some(CredentialProvider::Container);
    let names: Vec<&str> = selecting.iter().map(|it| it.name()).collect();
    let text = match names.as_slice() {
        [] => "no policy selects the pod".to_owned(),
        _ if !is_container => {
            format!(
                "{} limits what the pod reaches; whether STS is permitted is not known",
                names.join(", ")
            )
        }
        _ if selecting.iter().any(|it| permits_agent(it)) => {
            format!("{} permits {} port {PORT}", names.join(", "), AGENT_ADDRESSES[0])
        }
        _ => {
            findings.push(barred(case, names[0]));
            return findings;
        }
    };
    findings.insert(0, Finding::ok(text));
    findings
}

fn provider(case: &Case<'_>) -> Option<CredentialProvider> {
    case.decided.as_ref().ok()?.binding.provider
}

/// Policies add up: the pod reaches what any of them permits, so the first one is named if none does.
fn barred(case: &Case<'_>, policy: &str) -> Finding {
    let address = AGENT_ADDRESSES[0];
    Finding::warning(
        Code(15),
        format!("NetworkPolicy {policy} has no egress rule for {address}/32 port {PORT}"),
    )
    .object(format!("NetworkPolicy {}/{policy}", case.namespace()))
    .is("egress rules, none of which permits the agent's address")
    .should_be(format!(
        "to: [{{ipBlock: {{cidr: {address}/32}}}}], ports: [{{port: {PORT}, protocol: TCP}}]"
    ))
    .fix(format!("kubectl -n {} edit networkpolicy {policy}", case.namespace()))
    .after("whether a policy bars a link-local address depends on the network plugin")
}

/// Whether a policy for outgoing traffic selects the pod.
fn selects(policy: &Object, labels: &podrole_identity::Labels) -> bool {
    let types: Vec<&str> = policy.list("/spec/policyTypes").filter_map(Value::as_str).collect();
    let has_egress = policy.json().pointer("/spec/egress").is_some_and(Value::is_array);
    let is_egress = types.contains(&"Egress") || types.is_empty() && has_egress;
    let own = policy.json().pointer("/spec/podSelector").cloned().unwrap_or_default();
    let own = serde_json::from_value(own).map(selector);
    is_egress && own.is_ok_and(|own| own.matches(labels))
}

/// Whether a rule permits the agent's address and port.
fn permits_agent(policy: &Object) -> bool {
    policy.list("/spec/egress").any(|rule| {
        let peers = rule["to"].as_array().filter(|peers| !peers.is_empty());
        let to = peers.is_none_or(|peers| {
            peers.iter().any(|peer| {
                let block = &peer["ipBlock"];
                let within = |cidr: &Value| cidr.as_str().is_some_and(contains_agent);
                let except = block["except"].as_array().into_iter().flatten();
                within(&block["cidr"]) && !except.into_iter().any(within)
            })
        });
        let ports = rule["ports"].as_array().filter(|ports| !ports.is_empty());
        let port = ports.is_none_or(|ports| ports.iter().any(is_agents_port));
        to && port
    })
}

fn is_agents_port(port: &Value) -> bool {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    let first = port["port"].as_i64();
    let last = port["endPort"].as_i64().or(first);
    let within = first.zip(last).is_some_and(|(first, last)| (first..=last).contains(&PORT));
    protocol == "TCP" && (within || port["port"].is_null())
}

/// Whether a block of addresses has the agent's IPv4 address in it.
fn contains_agent(cidr: &str) -> bool {
    let Some((network, length)) = cidr.split_once('/') else { return false };
    let (Ok(IpAddr::V4(network)), Ok(length), Ok(IpAddr::V4(agent))) =
        (network.parse(), length.parse::<u32>(), AGENT_ADDRESSES[0].parse())
    else {
        return false;
    };
    let ignored = 32_u32.saturating_sub(length.min(32));
    let prefix = |address: std::net::Ipv4Addr| u64::from(address.to_bits()) >> ignored;
    prefix(network) == prefix(agent)
}

/// A proxy without an exception for the agent: the stored pod lacks what the webhook adds for it.
fn proxy(case: &Case<'_>) -> Option<Finding> {
    if provider(case) != Some(CredentialProvider::Container) {
        return None;
    }
    let decided = case.decided.as_ref().ok()?;
    let pod = case.subject.stored()?;
    let added = added(pod.json(), &decided.binding, &case.settings.webhook)?;
    // A pod that was not injected lacks the exception for that reason.
    let lacking = added.no_proxy.iter().find(|it| !added.identity.contains(*it))?;
    let address = AGENT_ADDRESSES[0];
    let message = format!("container {lacking} sends {address} to its proxy; add it to NO_PROXY");
    let container = containers(pod.json()).find(|it| name(it) == lacking)?;
    let env = container["env"].as_array().into_iter().flatten().rev();
    let mut own =
        env.filter(|it| it["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("NO_PROXY")));
    let own = own.next().and_then(|it| it["value"].as_str()).unwrap_or_default();
    let value = if own.is_empty() { address.to_owned() } else { format!("{own},{address}") };
    let finding = Finding::error(Code(16), message)
        .is(format!("a proxy in env of {lacking}, and NO_PROXY={own}"))
        .should_be(format!("{address} among the hosts of NO_PROXY"));
    Some(match case.subject.workload_name() {
        Some(workload) => finding.fix(format!(
            "kubectl -n {} set env {workload} -c {lacking} {}",
            case.namespace(),
            quoted(&format!("NO_PROXY={value}"))
        )),
        None => finding
            .fix(format!("set NO_PROXY={value} in container {lacking}"))
            .fix(case.subject.restart()),
    })
}

/// An init container that runs before Istio's native sidecar, whose rules capture its traffic already.
fn sidecar(case: &Case<'_>, pod: &Value) -> Option<Finding> {
    let init = pod["spec"]["initContainers"].as_array()?;
    let proxy =
        init.iter().position(|it| name(it) == ISTIO_PROXY && it["restartPolicy"] == "Always")?;
    let annotations = texts(pod.pointer("/metadata/annotations"));
    let excluded = annotations
        .get(EXCLUDED)
        .is_some_and(|list| list.split(',').any(|it| contains_agent(it.trim())));
    if excluded && provider(case) == Some(CredentialProvider::Container) {
        return None;
    }
    // istio-init only writes the rules and calls nothing.
    let before = init.iter().take(proxy).map(name).filter(|it| !it.starts_with("istio-"));
    let first = before.min_by_key(|_| 0)?;
    let address = AGENT_ADDRESSES[0];
    Some(
        Finding::warning(
            Code(45),
            format!("init container {first} starts before {ISTIO_PROXY} captures its traffic"),
        )
        .is(format!("initContainers: {first}, then {ISTIO_PROXY}"))
        .should_be(format!("{first} behind {ISTIO_PROXY}, or without need of AWS"))
        .fix(format!("annotate the pod template with {EXCLUDED}: {address}/32, or move {first} behind the sidecar")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_addresses_contains_the_agent() {
        for (cidr, expected) in [
            ("169.254.170.23/32", true),
            ("169.254.0.0/16", true),
            ("0.0.0.0/0", true),
            ("169.254.169.254/32", false),
            ("10.0.0.0/8", false),
            ("169.254.170.23", false),
            ("::/0", false),
        ] {
            assert_eq!(contains_agent(cidr), expected, "{cidr}");
        }
    }
}
