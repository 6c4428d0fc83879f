//! Which nodes get an agent.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{helm, objects};

/// The node selector terms of the agent's pods.
fn terms(set: &[&str]) -> anyhow::Result<Value> {
    let rendered = objects::read(&helm::template(set)?)?;
    let agent = objects::find(&rendered, "DaemonSet", "podrole-agent")?;
    let path = "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    Ok(agent.pointer(path).cloned().unwrap_or_default())
}

#[test]
fn fargate_has_no_agent_whatever_the_affinity_is() -> anyhow::Result<()> {
    let fargate = json!({"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]});
    let default = terms(&[])?;
    ensure!(default == json!([{"matchExpressions": [fargate]}]), "{default}");

    let required = "agent.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let own = |index: usize, key: &str| {
        let at = format!("{required}[{index}].matchExpressions[0]");
        [format!("{at}.key={key}"), format!("{at}.operator=Exists")]
    };
    let set = [own(0, "a"), own(1, "b")].concat();
    let both = terms(&set.iter().map(String::as_str).collect::<Vec<_>>())?;
    let term =
        |key: &str| json!({"matchExpressions": [{"key": key, "operator": "Exists"}, fargate]});
    ensure!(both == json!([term("a"), term("b")]), "{both}");

    let more = terms(&["agent.excludedNodes.gpu={yes}"])?;
    let gpu = json!({"key": "gpu", "operator": "NotIn", "values": ["yes"]});
    ensure!(more == json!([{"matchExpressions": [fargate, gpu]}]), "{more}");
    // As manifests/README.md says for EKS Auto Mode.
    let auto = terms(&["agent.excludedNodes.eks\\.amazonaws\\.com/compute-type={fargate,auto}"])?;
    ensure!(auto[0]["matchExpressions"][0]["values"] == json!(["fargate", "auto"]), "{auto}");
    for null in ["agent.affinity", "agent.affinity.nodeAffinity"] {
        let terms = terms(&[&format!("{null}=null")])?;
        ensure!(terms == json!([{"matchExpressions": [fargate]}]), "{null}: {terms}");
    }
    ensure!(terms(&["agent.excludedNodes=null"])? == default, "null is not the default");
    let none = terms(&["agent.excludedNodes.eks\\.amazonaws\\.com/compute-type=null"])?;
    ensure!(none.is_null(), "there is something to exclude: {none}");
    Ok(())
}
