//! The ports of the daemons: what they collide with is refused in one way, and low ones can be opened.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{helm, objects, security};

/// All ports that the values choose; `webhook.*` are on the host's network with `webhook.hostNetwork`.
const ON_HOSTS: [&str; 3] = ["webhook.port", "webhook.metricsPort", "agent.metricsPort"];

fn complaint(set: &[&str]) -> String {
    helm::template(set).map_or_else(|error| error.to_string(), |_| "taken".to_owned())
}

#[test]
fn each_port_on_a_node_is_refused_if_something_else_has_it() -> anyhow::Result<()> {
    for port in ON_HOSTS {
        for taken in [2379, 2380, 6443, 10248, 10249, 10250, 10255, 10256, 10257, 10259] {
            let set = format!("{port}={taken}");
            let text = complaint(&["webhook.hostNetwork=true", &set]);
            let parts = [&format!("{port} is {taken}"), "uses on nodes", "set another port"];
            ensure!(parts.iter().all(|part| text.contains(part)), "{set}: {text}");
        }
        // The daemons there have no capability, and the agent itself has port 80.
        for low in [80, 443] {
            let set = format!("{port}={low}");
            let text = complaint(&["webhook.hostNetwork=true", &set]);
            let parts = [&format!("{port} is {low}"), "below 1024", "set a higher port"];
            ensure!(parts.iter().all(|part| text.contains(part)), "{set}: {text}");
        }
    }
    Ok(())
}

#[test]
fn two_ports_in_one_network_must_differ() -> anyhow::Result<()> {
    for (set, names) in [
        (&["webhook.metricsPort=8443"][..], ["webhook.port", "webhook.metricsPort"]),
        (&["webhook.hostNetwork=true", "webhook.port=2705"], ["agent.metricsPort", "webhook.port"]),
        (
            &["webhook.hostNetwork=true", "agent.metricsPort=9999"],
            ["agent.metricsPort", "webhook.metricsPort"],
        ),
    ] {
        let text = complaint(set);
        let parts = [names[0], names[1], "are the same", "change one of them"];
        ensure!(parts.iter().all(|part| text.contains(part)), "{set:?}: {text}");
    }
    // The Service has both.
    let text = complaint(&["webhook.metricsPort=443"]);
    ensure!(text.contains("port 443 of the Service is for reviews"), "{text}");
    // In pods of their own they are no neighbours.
    helm::template(&["webhook.port=10250", "controller.metricsPort=10250"])?;
    helm::template(&["controller.metricsPort=9999", "agent.metricsPort=8443"])?;
    helm::template(&["webhook.hostNetwork=true", "agent.enabled=false", "webhook.port=2705"])?;
    Ok(())
}

/// A control plane that reaches pods on port 443 only. The image's program has no capability, and `restricted` pods may
/// set this sysctl.
#[tokio::test]
async fn a_low_port_of_a_pod_can_be_opened_under_pod_security() -> anyhow::Result<()> {
    let sysctls = |workload: &Value| {
        workload.pointer("/spec/template/spec/securityContext/sysctls").cloned().unwrap_or_default()
    };
    for (set, name, lowest) in [
        (&["webhook.port=443"][..], "podrole-webhook", "443"),
        (&["webhook.port=443", "webhook.metricsPort=90"], "podrole-webhook", "90"),
        (&["controller.metricsPort=1023"], "podrole-controller", "1023"),
    ] {
        let rendered = objects::read(&helm::template(set)?)?;
        let workload = objects::find(&rendered, "Deployment", name)?;
        let wanted = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": lowest}]);
        ensure!(sysctls(workload) == wanted, "{set:?}: {}", sysctls(workload));
        security::admitted("restricted", workload).await?.map_err(anyhow::Error::msg)?;
    }
    let rendered = objects::read(&helm::template(&[])?)?;
    for name in ["podrole-webhook", "podrole-controller"] {
        ensure!(sysctls(objects::find(&rendered, "Deployment", name)?).is_null(), "{name}");
    }
    Ok(())
}
