use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

use http::{Request, Response};
use kube::{client::Body, runtime::reflector::store::Writer};
use serde_json::json;

use super::{running::tests::pod, *};
use crate::tests::fixture::caller;

/// Pods without a watch: a test applies events, and answers look-ups with this status and a living pod.
struct Setup {
    pods: WatchedPods,
    writer: Writer<Pod>,
    events: Events,
    status: Arc<AtomicU16>,
    gone: mpsc::UnboundedReceiver<String>,
}

impl Setup {
    fn start() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let code = Arc::clone(&status);
        let answer = tower::service_fn(move |_: Request<Body>| {
            let code = code.load(SeqCst);
            let mut body = serde_json::to_value(living()).unwrap();
            if code != 200 {
                body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                    "reason": if code == 404 { "NotFound" } else { "" }});
            }
            let answer =
                Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
            std::future::ready(Ok::<_, std::convert::Infallible>(answer.unwrap()))
        });
        let health = Health::default();
        let (store, writer) = reflector::store();
        let (gone_sender, gone) = mpsc::unbounded_channel();
        let (ended, changes, in_order) =
            (EndedPods::default(), Arc::default(), Arc::<AtomicBool>::default());
        let first_seen = FirstSeen::new(Clock::default());
        let events = Events {
            running: RunningPods::default(),
            ended: ended.clone(),
            reported: ReportedPods::default(),
            waiting: WaitingPods::default(),
            gone: gone_sender,
            added: mpsc::unbounded_channel().0,
            changes: Arc::clone(&changes),
            in_order: Arc::clone(&in_order),
            first_seen: first_seen.clone(),
            access: Access::to("the right to list and watch pods", &health),
        };
        let access = Access::to("the right to get pods", &health);
        let live = LivePods { client: Client::new(answer, "default"), access };
        let live = Cached::without_last_known(live, Clock::default());
        Self {
            pods: WatchedPods { store, ended, live, changes, in_order, first_seen },
            writer,
            events,
            status,
            gone,
        }
    }

    fn apply(&mut self, event: Event<Pod>) {
        self.writer.apply_watcher_event(&event);
        self.events.apply(Ok(event));
    }

    /// The watch's first list, which has these pods.
    fn list(&mut self, pods: &[Pod]) {
        self.apply(Event::Init);
        pods.iter().for_each(|pod| self.apply(Event::InitApply(pod.clone())));
        self.apply(Event::InitDone);
    }

    async fn is_alive(&self) -> Result<bool, LookupError> {
        Ok(self.pods.find(&caller()).await?.is_some_and(|pod| !pod.finished))
    }
}

/// The caller's pod.
fn living() -> Pod {
    pod("app-1", "pod-uid")
}

#[tokio::test]
async fn a_pod_that_was_seen_to_end_stays_ended() {
    let mut finished = living();
    finished.status.as_mut().unwrap().phase = Some("Failed".to_owned());
    for end in [Event::Delete(living()), Event::Apply(finished), Event::Apply(pod("app-1", "2"))] {
        let mut setup = Setup::start();
        setup.list(&[living()]);
        assert_eq!(setup.is_alive().await, Ok(true));
        setup.apply(end);
        assert_eq!(setup.gone.recv().await.as_deref(), Some("pod-uid"));
        // An API server that lags behind still shows it.
        for status in [200, 403, 429, 500] {
            setup.status.store(status, SeqCst);
            assert_eq!(setup.is_alive().await, Ok(false), "{status}");
        }
        setup.list(&[living()]);
        assert_eq!(setup.is_alive().await, Ok(false), "an older list");
    }
}

#[tokio::test]
async fn a_pod_that_a_list_lacks_is_looked_up() {
    let mut setup = Setup::start();
    setup.list(&[living()]);
    setup.list(&[]);
    assert_eq!(setup.gone.recv().await.as_deref(), Some("pod-uid"));
    assert_eq!(setup.is_alive().await, Ok(true), "the list was older than the pod");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_a_list_lacks_is_not_believed_because_of_an_earlier_look_up() {
    let mut setup = Setup::start();
    setup.list(&[]);
    assert_eq!(setup.is_alive().await, Ok(true), "a look-up found it");
    setup.list(&[living()]);
    setup.list(&[]);
    setup.status.store(500, SeqCst);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(setup.is_alive().await.is_err());
}

#[tokio::test]
async fn a_look_up_that_finds_no_such_pod_ends_it() {
    let mut setup = Setup::start();
    setup.list(&[]);
    setup.status.store(404, SeqCst);
    assert_eq!(setup.is_alive().await, Ok(false));
    setup.status.store(500, SeqCst);
    assert_eq!(setup.is_alive().await, Ok(false), "404 is an answer");
    let mut setup = Setup::start();
    setup.list(&[]);
    setup.status.store(500, SeqCst);
    assert!(setup.is_alive().await.is_err());
}

#[tokio::test]
async fn the_watch_is_in_order_from_its_first_list_until_an_error() {
    let mut setup = Setup::start();
    setup.apply(Event::Init);
    assert!(!setup.pods.in_order());
    setup.apply(Event::InitDone);
    assert!(setup.pods.in_order());
    setup.events.apply(Err(watcher::Error::NoResourceVersion));
    assert!(!setup.pods.in_order());
    setup.apply(Event::Apply(living()));
    assert!(setup.pods.in_order());
}
