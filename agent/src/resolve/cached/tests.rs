use std::{
    collections::VecDeque,
    sync::{
        PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use futures::{
    future::join_all,
    stream::{self, BoxStream},
};
use tokio::time::{Instant, advance};

use super::*;

/// An API server with one object, whose value is how often it was changed.
#[derive(Clone, Default)]
struct Live(Arc<Api>);

#[derive(Default)]
struct Api {
    value: AtomicUsize,
    looks: AtomicUsize,
    watches: AtomicUsize,
    changed: Notify,
    manner: Mutex<Manner>,
}

#[derive(Clone, Copy, Default)]
struct Manner {
    takes: Duration,
    fails: bool,
    /// Reports no change to a watch.
    mute: bool,
    /// How long a watch takes to begin.
    lists_for: Duration,
}

impl Live {
    fn set(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.0.manner.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn manner(&self) -> Manner {
        *self.0.manner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) {
        self.0.value.fetch_add(1, SeqCst);
        if !self.manner().mute {
            self.0.changed.notify_waiters();
        }
    }

    fn looks(&self) -> usize {
        self.0.looks.load(SeqCst)
    }

    fn watches(&self) -> usize {
        self.0.watches.load(SeqCst)
    }
}

impl Lookup<u8, usize> for Live {
    fn find<'a>(&'a self, _: &'a u8) -> BoxFuture<'a, LookupResult<usize>> {
        async {
            self.0.looks.fetch_add(1, SeqCst);
            let value = self.0.value.load(SeqCst);
            sleep(self.manner().takes).await;
            if self.manner().fails {
                return Err(LookupError::Unreachable("away".to_owned()));
            }
            Ok(Some(value.into()))
        }
        .boxed()
    }

    fn watch(&self, _: &u8) -> Option<BoxStream<'static, Result<(), LookupError>>> {
        self.0.watches.fetch_add(1, SeqCst);
        let watch = (self.clone(), VecDeque::from([()]));
        let next = |(live, mut first): (Live, VecDeque<()>)| async {
            if first.pop_front().is_none() {
                live.0.changed.notified().await;
            } else {
                sleep(live.manner().lists_for).await;
            }
            let item = if live.manner().fails {
                Err(LookupError::Failed("away".to_owned()))
            } else {
                Ok(())
            };
            Some((item, (live, first)))
        };
        Some(stream::unfold(watch, next).boxed())
    }
}

fn cached(live: &Live) -> Cached<Live, u8, usize> {
    Cached::new(live.clone(), Clock::default(), WatchSlots::default())
}

async fn value(cached: &Cached<Live, u8, usize>) -> usize {
    *cached.find(&1).await.unwrap().unwrap()
}

/// Time passes in steps, so that tasks run when they would.
async fn pass(seconds: u64) {
    for _ in 0..seconds * 20 {
        advance(Duration::from_millis(50)).await;
        tokio::task::yield_now().await;
    }
}

/// Reads the name so often that it is watched.
async fn heat(cached: &Cached<Live, u8, usize>) {
    for _ in 0..4 {
        value(cached).await;
        pass(4).await;
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_share_a_look_up() {
    let (live, names) = (Live::default(), [1; 2]);
    let cached = cached(&live);
    live.set(|it| it.takes = Duration::from_millis(200));
    for answer in join_all(names.iter().map(|name| cached.find(name))).await {
        assert_eq!(*answer.unwrap().unwrap(), 0);
    }
    assert_eq!(live.looks(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_again_while_it_is_used_and_once_more() {
    let live = Live::default();
    let cached = cached(&live);
    assert_eq!(value(&cached).await, 0);
    live.change();
    pass(4).await;
    assert_eq!(value(&cached).await, 1, "it is looked up again before it is stale");
    assert_eq!(cached.changes(), 1, "the first answer is no change");
    pass(60).await;
    assert_eq!(live.looks(), 3, "a name out of use costs nothing");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_for_its_request_is_kept_for_the_next() {
    let live = Live::default();
    let cached = cached(&live);
    live.set(|it| it.takes = Duration::from_millis(900));
    let deadline = Duration::from_millis(750);
    assert!(timeout(deadline, cached.find(&1)).await.is_err());
    let begun = Instant::now();
    assert_eq!(value(&cached).await, 0);
    assert_eq!(begun.elapsed().as_millis(), 150);
    assert_eq!(live.looks(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_api_server_does_not_keep_an_old_answer_alive() {
    let live = Live::default();
    let cached = cached(&live);
    live.set(|it| it.takes = Duration::from_millis(600));
    value(&cached).await;
    live.change();
    let begun = Instant::now();
    while value(&cached).await == 0 {
        pass(1).await;
        assert!(begun.elapsed() < Duration::from_millis(5600), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_is_not_used_because_its_look_up_is_slow() {
    let live = Live::default();
    let cached = cached(&live);
    value(&cached).await;
    pass(60).await;
    live.change();
    live.set(|it| it.takes = Duration::from_millis(600));
    assert_eq!(value(&cached).await, 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_known_answer_is_used_while_look_ups_fail_or_hang() {
    for hangs in [false, true] {
        let live = Live::default();
        let cached = cached(&live);
        assert_eq!(value(&cached).await, 0);
        live.set(|it| {
            it.fails = true;
            it.takes = Duration::from_secs(if hangs { 60 } else { 0 });
        });
        for _ in 0..10 {
            pass(5).await;
            let begun = Instant::now();
            assert_eq!(value(&cached).await, 0);
            assert!(begun.elapsed() <= PATIENCE, "{hangs}: {:?}", begun.elapsed());
        }
        let looks = live.looks();
        assert!(looks <= 12, "{looks}");
        assert!(
            timeout(Duration::from_secs(60), cached.find(&2)).await.unwrap().is_err(),
            "nothing is known of it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_name_is_served_a_second_after_the_api_server_falls_silent() {
    let live = Live::default();
    let cached = cached(&live);
    value(&cached).await;
    pass(60).await;
    live.set(|it| it.takes = Duration::from_secs(60));
    let begun = Instant::now();
    assert_eq!(value(&cached).await, 0);
    assert_eq!(begun.elapsed().as_millis(), 1000, "an SDK's second request");
    assert_eq!(value(&cached).await, 0);
    assert_eq!(begun.elapsed().as_millis(), 1000, "and none waits after that");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_does_not_begin_is_given_up_for_a_while() {
    let live = Live::default();
    live.set(|it| it.lists_for = Duration::from_secs(60));
    let slots = WatchSlots::default();
    let cached = Cached::new(live.clone(), Clock::default(), slots.clone());
    for _ in 0..100 {
        value(&cached).await;
        pass(1).await;
        assert!(slots.0.available_permits() >= 11);
    }
    assert!((1..=4).contains(&live.watches()), "{}", live.watches());
}

#[tokio::test(start_paused = true)]
async fn a_hot_name_is_watched_and_a_change_is_seen_at_once() {
    let live = Live::default();
    let cached = cached(&live);
    heat(&cached).await;
    assert_eq!(live.watches(), 1);
    let looks = live.looks();
    for _ in 0..20 {
        assert_eq!(value(&cached).await, 0);
        pass(4).await;
    }
    assert_eq!(live.looks(), looks, "a watched name costs no look-ups");
    live.change();
    pass(1).await;
    assert_eq!(value(&cached).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_busy_name_costs_three_look_ups_in_five_minutes() {
    let live = Live::default();
    let cached = cached(&live);
    for _ in 0..300 {
        for _ in 0..3 {
            value(&cached).await;
        }
        pass(1).await;
    }
    assert_eq!((live.looks(), live.watches()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_reports_nothing_is_noticed() {
    let live = Live::default();
    let cached = cached(&live);
    heat(&cached).await;
    live.set(|it| it.mute = true);
    live.change();
    pass(145).await;
    value(&cached).await;
    pass(10).await;
    assert_eq!(value(&cached).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_its_name_s_use_and_frees_its_slot() {
    let (live, slots) = (Live::default(), WatchSlots::default());
    let cached = Cached::new(live.clone(), Clock::default(), slots.clone());
    heat(&cached).await;
    assert_eq!(slots.0.available_permits(), 11);
    pass(800).await;
    assert_eq!(slots.0.available_permits(), 12);
    let looks = live.looks();
    pass(600).await;
    assert_eq!(live.looks(), looks);
}

#[tokio::test(start_paused = true)]
async fn tasks_end_with_the_cache() {
    let live = Live::default();
    let cached = cached(&live);
    value(&cached).await;
    drop(cached);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&live.0), 1);
}
