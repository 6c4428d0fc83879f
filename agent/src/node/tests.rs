use super::*;
use crate::tests::fixture::{at, caller, now};

fn pod() -> PodFacts {
    let node = Some("n1".to_owned());
    PodFacts { uid: "pod-uid".to_owned(), node, ..PodFacts::default() }
}

fn check(pod: &PodFacts) -> Result<(), NodeError> {
    alive(&caller(), Some(pod), "n1", now())
}

#[test]
fn a_running_pod_is_alive() {
    assert_eq!(check(&pod()), Ok(()));
    let caller = Caller { node: None, ..caller() };
    assert_eq!(alive(&caller, Some(&pod()), "n1", now()), Ok(()));
}

#[test]
fn a_deleted_replaced_or_finished_pod_is_not_alive() {
    assert_eq!(alive(&caller(), None, "n1", now()), Err(NodeError::Gone));
    let uid = "another".to_owned();
    assert_eq!(check(&PodFacts { uid, ..pod() }), Err(NodeError::Gone));
    let finished = PodFacts { finished: true, ..pod() };
    assert_eq!(check(&finished), Err(NodeError::Finished));
}

#[test]
fn a_terminating_pod_is_served_until_60_seconds_after_its_deadline() {
    let gone_at = |seconds| PodFacts { gone_at: Some(at(seconds)), ..pod() };
    for (seconds, answer) in [(30, Ok(())), (-59, Ok(())), (-60, Err(NodeError::Gone))] {
        assert_eq!(check(&gone_at(seconds)), answer, "{seconds}");
    }
}

#[test]
fn a_pod_of_another_node_is_not_served() {
    for node in [None, Some("n2".to_owned())] {
        assert_eq!(check(&PodFacts { node, ..pod() }), Err(NodeError::Elsewhere));
    }
    let node = Some("n2".to_owned());
    let caller = Caller { node, ..caller() };
    assert_eq!(alive(&caller, Some(&pod()), "n1", now()), Err(NodeError::Elsewhere));
}

/// Pods that cannot be looked up.
struct Away {
    watch_in_order: bool,
    error: LookupError,
}

impl Pods for Away {
    fn find<'a>(&'a self, _: &'a Caller) -> BoxFuture<'a, Result<Option<PodFacts>, LookupError>> {
        ready(Err(self.error.clone())).boxed()
    }

    fn in_order(&self) -> bool {
        self.watch_in_order
    }
}

fn away() -> LookupError {
    LookupError::Failed("away".to_owned())
}

#[tokio::test]
async fn an_unknown_pod_is_not_believed_while_the_watch_is_in_order_or_the_agent_is_refused() {
    let refused = LookupError::Forbidden("no".to_owned());
    for (watch_in_order, error) in [(true, away()), (true, refused.clone()), (false, refused)] {
        let liveness = Liveness::on(Arc::new(Away { watch_in_order, error: error.clone() }), "n1");
        assert_eq!(liveness.check(&caller(), now()).await, Err(NodeError::Unknown(error)));
    }
}

#[tokio::test]
async fn while_the_api_server_is_unavailable_the_token_must_name_this_node() {
    let pods = Away { watch_in_order: false, error: away() };
    let liveness = Liveness::on(Arc::new(pods), "n1");
    assert!(liveness.check(&caller(), now()).await.is_ok());
    for (node, error) in
        [(None, NodeError::Unknown(away())), (Some("n2".to_owned()), NodeError::Elsewhere)]
    {
        let caller = Caller { node, ..caller() };
        assert_eq!(liveness.check(&caller, now()).await, Err(error));
    }
}

#[tokio::test]
async fn off_checks_nothing_and_on_looks_the_pod_up() {
    assert_eq!(Liveness::off().check(&caller(), now()).await, Ok(None));
    let pods = PodMap::default();
    let liveness = Liveness::on(Arc::new(pods.clone()), "n1");
    assert_eq!(liveness.check(&caller(), now()).await, Err(NodeError::Gone));
    pods.insert(pod());
    assert!(liveness.check(&caller(), now()).await.is_ok());
    pods.remove("pod-uid");
    assert_eq!(liveness.check(&caller(), now()).await, Err(NodeError::Gone));
}
