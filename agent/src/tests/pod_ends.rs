//! What a pod's end does to a request that waits for AWS.

use std::sync::Arc;

use serde_json::json;

use super::associations::World;

#[tokio::test]
async fn a_pod_that_ends_while_aws_is_asked_gets_nothing_and_leaves_nothing() {
    let world = World::start();
    world.associate("one", &json!({}));
    let (agent, pods) = (Arc::clone(&world.agent), world.pods.clone());
    *world.during.lock().unwrap() = Some(Box::new(move || {
        pods.remove("pod-uid");
        agent.pod_gone("pod-uid");
    }));
    assert_eq!(world.ask_after(0).await, Err(403));
    assert!(world.agent.cache().is_empty());
}

#[tokio::test]
async fn the_end_of_another_pod_changes_nothing() {
    let world = World::start();
    world.associate("one", &json!({}));
    let agent = Arc::clone(&world.agent);
    *world.during.lock().unwrap() = Some(Box::new(move || agent.pod_gone("another")));
    assert!(world.ask_after(0).await.is_ok());
    world.associate("two", &json!({}));
    assert!(world.ask_after(5).await.is_ok());
    assert_eq!(world.agent.cache().len(), 1, "the pod's first session is forgotten");
}
