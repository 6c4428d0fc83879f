//! When a node may be used.

use serde_json::{Value, json};

use super::*;

fn node(name: &str, keys: &[&str]) -> TaintedNode {
    let taints: Vec<_> =
        keys.iter().map(|key| json!({"key": key, "effect": "NoSchedule"})).collect();
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"taints": taints}})).unwrap()
}

fn agent(node: &str, ready: &str, state: &Value, restarts: u32) -> AgentPod {
    let container = json!({"name": "agent", "image": "i", "imageID": "i", "ready": false,
        "restartCount": restarts, "state": state});
    let status = json!({"conditions": [{"type": "Ready", "status": ready}],
        "containerStatuses": [container]});
    let pod = json!({"metadata": {"name": format!("agent-{node}")},
        "spec": {"nodeName": node, "containers": []}, "status": status});
    serde_json::from_value(pod).unwrap()
}

fn running() -> Value {
    json!({"running": {}})
}

/// One node with the taint behind another one.
fn tainted(now: Instant) -> Nodes {
    let mut nodes = Nodes::default();
    nodes.node(&node("a", &["x", TAINT]), now);
    nodes
}

fn free(why: Why) -> Option<(String, Vec<usize>, Why)> {
    Some(("a".to_owned(), vec![1], why))
}

#[test]
fn a_node_waits_for_its_own_agent_to_be_ready() {
    let now = Instant::now();
    let mut nodes = tainted(now);
    assert_eq!(nodes.next(now), None);
    nodes.pod(&agent("b", "True", &running(), 0), now);
    nodes.pod(&agent("a", "False", &running(), 0), now);
    assert_eq!(nodes.next(now), None);
    nodes.pod(&agent("a", "True", &running(), 0), now);
    assert_eq!(nodes.next(now), free(Why::Ready));
    // It is tried once, and again after a failure.
    assert_eq!(nodes.next(now), None);
    nodes.failed("a", now);
    assert_eq!(nodes.next(now), None);
    assert_eq!(nodes.next(now + RETRY), free(Why::Ready));
    nodes.failed("a", now);
    assert_eq!(nodes.next(now + RETRY), None, "twice as long");
    nodes.removed("a");
    assert_eq!(nodes.waiting(now), (0, Duration::ZERO));
}

#[test]
fn an_agent_that_ends_does_not_count() {
    let now = Instant::now();
    let mut nodes = tainted(now);
    let mut ending = agent("a", "True", &running(), 0);
    ending.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    nodes.pod(&agent("a", "True", &running(), 0), now);
    nodes.pod(&ending, now);
    assert_eq!(nodes.next(now), None);
    nodes.pod(&agent("a", "True", &running(), 0), now);
    nodes.pod_event(&Event::Delete(ending), now);
    assert_eq!(nodes.next(now), None);
}

#[test]
fn a_running_agent_that_is_not_ready_keeps_its_node_for_a_minute() {
    let now = Instant::now();
    let mut nodes = tainted(now);
    nodes.pod(&agent("a", "False", &running(), 0), now);
    let later = now + UNREADY;
    assert_eq!(nodes.next(later - Duration::from_secs(1)), None);
    assert_eq!(nodes.next(later), free(Why::Running));
    // One that crashes again and again never runs for a minute.
    let mut nodes = tainted(now);
    nodes.pod(&agent("a", "False", &running(), 0), now);
    nodes.pod(&agent("a", "False", &running(), 1), later);
    assert_eq!(nodes.next(later), None);
    nodes.pod(&agent("a", "False", &json!({"waiting": {}}), 1), later);
    assert_eq!(nodes.next(later + UNREADY), None);
}

#[test]
fn what_a_list_does_not_have_is_gone() {
    let now = Instant::now();
    let mut nodes = tainted(now);
    nodes.pod(&agent("a", "True", &running(), 0), now);
    nodes.pod_event(&Event::Init, now);
    nodes.pod_event(&Event::InitDone, now);
    assert_eq!(nodes.next(now), None);
    nodes.node_event(&Event::Init, now);
    nodes.node(&node("b", &[TAINT]), now);
    nodes.node_event(&Event::InitDone, now);
    assert_eq!(nodes.waiting(now + UNREADY), (1, UNREADY));
    nodes.node(&node("b", &["x"]), now);
    assert_eq!(nodes.waiting(now).0, 0);
}

#[test]
fn the_agent_of_a_former_node_of_the_same_name_does_not_count() {
    let now = Instant::now();
    let at = |minute: u8| json!(format!("2026-01-01T00:{minute:02}:00Z"));
    let mut nodes = Nodes::default();
    let mut fresh = node("a", &["x", TAINT]);
    fresh.metadata.creation_timestamp = serde_json::from_value(at(30)).unwrap();
    let mut former = agent("a", "True", &running(), 0);
    former.metadata.creation_timestamp = serde_json::from_value(at(10)).unwrap();
    nodes.pod(&former, now);
    nodes.node(&fresh, now);
    assert_eq!(nodes.next(now), None);
    former.metadata.creation_timestamp = serde_json::from_value(at(30)).unwrap();
    nodes.pod(&former, now);
    assert_eq!(nodes.next(now), free(Why::Ready));
}

#[test]
fn a_node_whose_removal_fails_holds_up_no_other() {
    let now = Instant::now();
    let mut nodes = Nodes::default();
    for name in ["a", "b"] {
        nodes.node(&node(name, &["x", TAINT]), now);
        nodes.pod(&agent(name, "True", &running(), 0), now);
    }
    let mut tried = || nodes.next(now + UNREADY).map(|(node, ..)| node);
    let first = tried().unwrap();
    nodes.failed(&first, now);
    let mut tried = || nodes.next(now + UNREADY).map(|(node, ..)| node);
    assert_ne!(tried().unwrap(), first);
    // An event of the node, such as its heartbeat, does not shorten the wait.
    nodes.node(&node(&first, &["x", TAINT]), now);
    assert_eq!(nodes.next(now), None);
}

#[test]
fn another_list_of_taints_is_tried_at_once() {
    let now = Instant::now();
    let mut nodes = tainted(now);
    nodes.pod(&agent("a", "True", &running(), 0), now);
    assert!(nodes.next(now).is_some());
    nodes.node(&node("a", &[TAINT]), now);
    nodes.failed("a", now);
    assert_eq!(nodes.next(now), Some(("a".to_owned(), vec![0], Why::Ready)));
}
