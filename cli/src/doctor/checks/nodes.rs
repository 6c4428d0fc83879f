//! The nodes and what runs on each.

use jiff::SignedDuration;
use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Node};
use podrole_identity::agentless;

use super::super::seen::Read;
use crate::{
    report::{Code, Finding},
    settings::{ClusterSettings, Component, Daemon},
};

/// AWS rejects signatures that are five minutes off, and tokens count by the node's clock.
const SKEW: SignedDuration = SignedDuration::from_secs(30);
/// Names in a sentence; the rest is counted.
const SHOWN: usize = 5;
/// Other agents that answer for pods' AWS credentials, by the names of their DaemonSets.
const OTHERS: [(&str, &str); 3] =
    [("eks-pod-identity-agent", "EKS's agent"), ("kube2iam", "kube2iam"), ("kiam-agent", "kiam")];

fn agent(settings: &ClusterSettings) -> Option<&Daemon> {
    settings.versions.iter().find(|it| it.component == Component::Agent)
}

pub(super) fn agents(daemon_sets: &Read<Vec<DaemonSet>>, settings: &ClusterSettings) -> Finding {
    let code = Code(109);
    let Some(agent) = agent(settings) else {
        return Finding::skipped("there is no agent").coded(code);
    };
    let all = match daemon_sets {
        Ok(all) => all,
        Err(unread) => return Finding::unknown(unread.to_string()).coded(code),
    };
    let is_agent = |it: &&DaemonSet| {
        it.metadata.name.as_ref() == Some(&agent.name)
            && it.metadata.namespace.as_ref() == Some(&agent.namespace)
    };
    let status = all.iter().find(is_agent).and_then(|it| it.status.as_ref());
    let (ready, desired) =
        status.map_or((0, 0), |it| (it.number_ready, it.desired_number_scheduled));
    let text = format!("{ready} of {desired} agents are ready");
    if ready < desired {
        let (namespace, name) = (&agent.namespace, &agent.name);
        return Finding::error(code, text)
            .fix(format!("kubectl -n {namespace} describe daemonset/{name}"));
    }
    Finding::ok(text).coded(code)
}

pub(super) fn without_agent(
    nodes: &Read<Vec<Node>>,
    nodes_with_agent: &Read<Vec<String>>,
    settings: &ClusterSettings,
) -> Finding {
    let code = Code(110);
    if agent(settings).is_none() {
        return Finding::skipped("there is no agent").coded(code);
    }
    let (nodes, with) = match (nodes, nodes_with_agent) {
        (Ok(nodes), Ok(with)) => (nodes, with),
        (Err(unread), _) | (_, Err(unread)) => {
            return Finding::unknown(unread.to_string()).coded(code);
        }
    };
    let bare = nodes.iter().filter_map(|node| {
        let name = node.metadata.name.as_ref().filter(|name| !with.contains(name))?;
        Some(format!("{name} ({})", reason(node)))
    });
    let bare: Vec<_> = bare.collect();
    if bare.is_empty() {
        return Finding::ok(format!("each of {} nodes has an agent", nodes.len())).coded(code);
    }
    let text = format!("{} of {} nodes have no agent: {}", bare.len(), nodes.len(), some(&bare));
    Finding::warning(code, text).fix(
        "tolerate the taints with agent.tolerations, or use the provider web-identity for pods on these nodes",
    )
}

/// Why a node has no agent, as far as its labels and taints say it.
fn reason(node: &Node) -> String {
    if let Some(kind) = node.metadata.labels.as_ref().and_then(agentless) {
        return kind.to_owned();
    }
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    match taints.map(|taint| taint.key.as_str()).next() {
        Some(key) => format!("taint {key}"),
        None => "no reason visible".to_owned(),
    }
}

pub(super) fn other_agents(daemon_sets: &Read<Vec<DaemonSet>>) -> Finding {
    let code = Code(111);
    let all = match daemon_sets {
        Ok(all) => all,
        Err(unread) => return Finding::unknown(unread.to_string()).coded(code),
    };
    let found = all.iter().filter_map(|it| {
        let name = it.metadata.name.as_deref()?;
        let (_, what) = OTHERS.iter().find(|(other, _)| name.ends_with(other))?;
        let runs = it.status.as_ref().is_some_and(|it| it.current_number_scheduled > 0);
        let namespace = it.metadata.namespace.as_deref().unwrap_or_default();
        runs.then(|| format!("{what} (DaemonSet {namespace}/{name})"))
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Finding::ok("no other agent for AWS credentials runs").coded(code);
    }
    Finding::warning(code, format!("other agents for AWS credentials run beside podrole's: {}", some(&found)))
        .fix("remove them once each workload has moved (docs/migration.md); two agents cannot share a node's address")
}

pub(super) fn clocks(clocks: &Read<Vec<(String, SignedDuration)>>) -> Finding {
    let code = Code(112);
    let clocks = match clocks {
        Ok(clocks) => clocks,
        Err(unread) => return Finding::unknown(unread.to_string()).coded(code),
    };
    let wrong = clocks.iter().filter(|(_, skew)| skew.abs() > SKEW).map(|(node, skew)| {
        let way = if skew.is_negative() { "behind" } else { "ahead" };
        format!("{node} ({} s {way})", skew.abs().as_secs())
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() {
        return Finding::ok(format!("{} nodes' clocks agree with the API server's", clocks.len()))
            .coded(code);
    }
    let text =
        format!("{} nodes' clocks differ from the API server's: {}", wrong.len(), some(&wrong));
    Finding::warning(code, text)
        .fix("let chrony or systemd-timesyncd set the clocks of these nodes")
}

/// The first names, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
