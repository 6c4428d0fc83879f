//! Link 10: the agent on the pod's node, which the provider `container` needs.

use jiff::{SignedDuration, Timestamp};
use podrole_identity::{CREDENTIALS_ANNOTATION, CredentialProvider, agentless};
use serde_json::Value;

use crate::{
    report::{Code, Finding},
    why::{case::Case, object::Object, resource::Resource},
};

/// The labels of the agent's pods.
const AGENT: [(&str, &str); 2] =
    [("app.kubernetes.io/name", "podrole"), ("app.kubernetes.io/component", "agent")];
/// The port of the agent's address.
const PORT: i64 = 80;
/// Signatures of AWS may be this much off.
const CLOCK: SignedDuration = SignedDuration::from_mins(5);
/// A kubelet renews its Lease every 10 s; an older one shows a node that is away.
const LEASE_NAMESPACE: &str = "kube-node-lease";

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let provider = case.decided.as_ref().map(|it| it.binding.provider);
    match provider {
        Err(missing) => return vec![missing.finding()],
        Ok(None) => return vec![Finding::skipped("no role")],
        Ok(Some(CredentialProvider::WebIdentity)) => {
            return vec![Finding::skipped("web-identity does not use it")];
        }
        Ok(Some(CredentialProvider::Container)) => {}
    }
    let pod = match &case.subject.pod {
        Err(missing) => return vec![missing.finding()],
        Ok(pod) => pod,
    };
    let Some(node) = pod.as_ref().and_then(|pod| pod.text("/spec/nodeName")) else {
        return vec![Finding::skipped("the pod is on no node yet")];
    };
    let mut findings = Vec::new();
    match case.world.find(Resource::Node, "", node) {
        Err(missing) => return vec![missing.finding()],
        Ok(found) => {
            let what = found.and_then(|it| agentless(&it.labels()));
            if let Some(what) = what {
                return vec![no_agent(case, node, what)];
            }
            findings.extend(found.and_then(|found| clock(case, found, node)));
        }
    }
    let pods = match case.world.all(Resource::Pod) {
        Err(missing) => return vec![missing.finding()],
        Ok(pods) => pods.iter().filter(|it| it.text("/spec/nodeName") == Some(node)),
    };
    let is_agent = |it: &&Object| {
        let labels = it.labels();
        AGENT.iter().all(|(key, value)| labels.get(*key).is_some_and(|it| it == value))
    };
    let agent = pods.clone().find(is_agent);
    let is_ready = agent.is_some_and(|agent| {
        agent.list("/status/conditions").any(|it| it["type"] == "Ready" && it["status"] == "True")
    });
    if is_ready {
        findings.insert(0, Finding::ok(format!("the agent on {node} is ready")));
        return findings;
    }
    let other = pods.clone().find(|it| !is_agent(it) && holds_port(it));
    findings.insert(0, match (other, agent) {
        (Some(other), _) => {
            let shown = format!("{}/{}", other.namespace(), other.name());
            Finding::error(
                Code(36),
                format!("pod {shown} on node {node} holds port {PORT}, so the agent cannot listen"),
            )
            .object(format!("Pod {shown}"))
            .is(format!("hostPort {PORT} of pod {shown}, and no ready agent on {node}"))
            .should_be(format!("no other pod with port {PORT} of the node's network"))
            .fix(match other.controller() {
                Some((kind, name)) => format!(
                    "kubectl -n {} delete {} {name}",
                    other.namespace(),
                    kind.to_ascii_lowercase()
                ),
                None => format!("kubectl -n {} delete pod {}", other.namespace(), other.name()),
            })
        }
        (None, Some(agent)) => Finding::unknown(format!(
            "the agent on {node} is not ready; kubectl -n {} logs {}",
            agent.namespace(),
            agent.name()
        )),
        (None, None) => Finding::unknown(format!(
            "no agent was found on {node}; kubectl get pods -A -l app.kubernetes.io/component=agent --field-selector spec.nodeName={node}"
        )),
    });
    findings
}

fn no_agent(case: &Case<'_>, node: &str, what: &str) -> Finding {
    let account = &case.subject.service_account;
    let web_identity = CredentialProvider::WebIdentity;
    Finding::error(
        Code(17),
        format!("node {node} runs no agent ({what}); use {CREDENTIALS_ANNOTATION}: {web_identity}"),
    )
    .object(format!("Node {node}"))
    .is(format!("the provider {} on a node of {what}", CredentialProvider::Container))
    .should_be(format!("the provider {web_identity}, which needs no agent"))
    .fix(format!(
        "kubectl -n {} annotate serviceaccount {} --overwrite {CREDENTIALS_ANNOTATION}={web_identity}",
        account.namespace(),
        account.name()
    ))
    .fix(case.subject.restart())
}

/// Whether a pod has port 80 of the node: by hostPort, or by a declared port on the node's network.
fn holds_port(pod: &Object) -> bool {
    let on_host = pod.json()["spec"]["hostNetwork"] == true;
    let ports =
        pod.list("/spec/containers").flat_map(|it| it["ports"].as_array().into_iter().flatten());
    let mut ports = ports.map(|port: &Value| {
        let host = port["hostPort"].as_i64();
        host.or_else(|| port["containerPort"].as_i64().filter(|_| on_host))
    });
    ports.any(|port| port == Some(PORT))
}

/// The node's clock, by the time that its kubelet wrote into its Lease: one of a Ready node is 10 s old at most.
fn clock(case: &Case<'_>, node: &Object, name: &str) -> Option<Finding> {
    let server = case.world.server_time?;
    let is_ready =
        node.list("/status/conditions").any(|it| it["type"] == "Ready" && it["status"] == "True");
    let lease = case.world.find(Resource::Lease, LEASE_NAMESPACE, name).ok().flatten()?;
    let renewed = lease.time("/spec/renewTime").filter(|_| is_ready)?;
    let off = renewed.duration_since(server);
    (off.abs() > CLOCK).then(|| {
        let minutes = off.abs().as_mins();
        let side = if off.is_positive() { "ahead" } else { "behind" };
        Finding::error(Code(40), format!("the clock of node {name} is {minutes} min {side}"))
            .object(format!("Node {name}"))
            .is(format!("its kubelet wrote {renewed}"))
            .should_be(format!("{}, the API server's time", shown(server)))
            .fix(format!(
                "repair time synchronisation on node {name}, for example: chronyc tracking"
            ))
    })
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
