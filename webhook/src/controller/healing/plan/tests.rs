use super::*;

const WAIT: Duration = Duration::from_mins(2);

fn key(name: &str) -> WorkloadKey {
    ("ReplicaSet", "shop".to_owned(), name.to_owned())
}

fn pod(uid: &str, ready: bool, missed: bool) -> SeenPod {
    SeenPod {
        name: uid.to_owned(),
        uid: uid.to_owned(),
        ready,
        missed,
        judged: true,
        evictable: true,
        owner: Owner { kind: "ReplicaSet", name: "app".to_owned(), uid: "1".to_owned() },
    }
}

fn evicts(step: &Step) -> Option<&str> {
    match step {
        Step::Evict(pod) => Some(&pod.uid),
        _ => None,
    }
}

#[test]
fn an_unready_pod_is_evicted_first_and_only_what_is_missed_and_evictable() {
    let (mut plan, now) = (Plan::new(WAIT), Instant::now());
    let kept = SeenPod { evictable: false, ..pod("kept", false, true) };
    let pods = [pod("fine", false, false), kept, pod("a", true, true), pod("b", false, true)];
    assert_eq!(evicts(&plan.step(&key("app"), &pods, now)), Some("b"));
    assert_eq!(plan.step(&key("app"), &pods[..2], now), Step::Nothing);
    assert_eq!(plan.step(&key("app"), &pods[..3], now), Step::Nothing, "one is not ready");
    assert_eq!(evicts(&plan.step(&key("app"), &pods[2..3], now)), Some("a"));
}

#[test]
fn the_next_pod_is_evicted_after_the_replacement_has_been_ready_for_a_while() {
    let (mut plan, begin) = (Plan::new(WAIT), Instant::now());
    let app = key("app");
    let at = |seconds| begin + Duration::from_secs(seconds);
    plan.evicted(&app, &[pod("a", true, true), pod("b", true, true)], begin);
    assert!(plan.concerns(&app, &[]));
    let starting = [pod("b", true, true), pod("c", false, false)];
    assert_eq!(plan.step(&app, &starting, at(30)), Step::Nothing);
    let ready = [pod("b", true, true), pod("c", true, false)];
    assert_eq!(plan.step(&app, &ready, at(60)), Step::Nothing);
    assert_eq!(plan.step(&app, &ready, at(179)), Step::Nothing);
    // It was unready for a moment, so that the time begins anew.
    assert_eq!(plan.step(&app, &starting, at(180)), Step::Nothing);
    assert_eq!(plan.step(&app, &ready, at(181)), Step::Nothing);
    assert_eq!(plan.step(&app, &ready, at(300)), Step::Nothing);
    assert_eq!(evicts(&plan.step(&app, &ready, at(301))), Some("b"));
}

#[test]
fn a_replacement_that_is_too_young_to_be_judged_is_waited_for() {
    let (mut plan, begin) = (Plan::new(Duration::from_secs(5)), Instant::now());
    let app = key("app");
    plan.evicted(&app, &[pod("a", true, true), pod("b", true, true)], begin);
    let young = SeenPod { judged: false, ..pod("c", true, false) };
    let pods = [pod("b", true, true), young];
    for seconds in [1, 30, 59] {
        let now = begin + Duration::from_secs(seconds);
        assert_eq!(plan.step(&app, &pods, now), Step::Nothing, "{seconds}");
    }
    let pods = [pod("b", true, true), pod("c", true, false)];
    assert_eq!(evicts(&plan.step(&app, &pods, begin + MINUTE)), Some("b"));
}

#[test]
fn a_replacement_that_is_missed_again_stops_the_workload_for_a_day() {
    let (mut plan, begin) = (Plan::new(WAIT), Instant::now());
    let app = key("app");
    plan.evicted(&app, &[pod("a", true, true)], begin);
    let again = pod("b", true, true);
    let pods = [again.clone()];
    let minute = begin + MINUTE;
    assert_eq!(plan.step(&app, &pods, minute), Step::Stop(Stop::MissedAgain(again)));
    let day = minute + STOPPED;
    for now in [minute, minute + Duration::from_hours(23)] {
        assert_eq!(plan.step(&app, &pods, now), Step::Nothing);
        assert_eq!(plan.stopped(now), 1);
    }
    plan.forget_old(minute + Duration::from_hours(23));
    assert_eq!(plan.stopped(minute), 1);
    plan.forget_old(day);
    assert!(plan.workloads.is_empty());
    assert_eq!(evicts(&plan.step(&app, &pods, day)), Some("b"));
}

#[test]
fn a_replacement_that_does_not_become_ready_stops_the_workload() {
    let (mut plan, begin) = (Plan::new(WAIT), Instant::now());
    let (app, late) = (key("app"), begin + WAIT * PATIENCE);
    plan.evicted(&app, &[pod("a", true, true)], begin);
    let never = [pod("b", false, false)];
    assert_eq!(plan.step(&app, &never, late - Duration::from_secs(1)), Step::Nothing);
    assert_eq!(plan.step(&app, &never, late), Step::Stop(Stop::NotReady));
}

#[test]
fn a_workload_that_was_scaled_down_goes_on() {
    let (mut plan, begin) = (Plan::new(WAIT), Instant::now());
    let (app, late) = (key("app"), begin + WAIT * PATIENCE);
    plan.evicted(&app, &[pod("a", true, true), pod("b", true, true)], begin);
    assert_eq!(evicts(&plan.step(&app, &[pod("b", true, true)], late)), Some("b"));
}

#[test]
fn an_eviction_that_is_refused_is_tried_again_later_each_time_after_twice_as_long() {
    let (mut plan, mut now) = (Plan::new(WAIT), Instant::now());
    let (app, pods) = (key("app"), [pod("a", true, true)]);
    for (refusal, minutes) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        assert_eq!(plan.refused(&app, now), refusal == 0);
        let wait = Duration::from_mins(minutes);
        assert_eq!(plan.step(&app, &pods, now + wait - Duration::from_secs(1)), Step::Nothing);
        now += wait;
        assert_eq!(evicts(&plan.step(&app, &pods, now)), Some("a"));
    }
    plan.evicted(&app, &pods, now);
    assert!(plan.refused(&app, now), "an eviction that worked ends the row");
}

#[test]
fn five_pods_a_minute_are_evicted_in_the_cluster() {
    let (mut plan, begin) = (Plan::new(WAIT), Instant::now());
    for index in 0..5_u64 {
        let (app, pods) = (key(&format!("app-{index}")), [pod("a", false, true)]);
        let now = begin + Duration::from_secs(index);
        assert!(evicts(&plan.step(&app, &pods, now)).is_some(), "{index}");
        plan.evicted(&app, &pods, now);
    }
    let (sixth, pods) = (key("sixth"), [pod("a", false, true)]);
    let minute = begin + MINUTE;
    assert_eq!(plan.step(&sixth, &pods, minute - Duration::from_secs(1)), Step::Nothing);
    assert!(evicts(&plan.step(&sixth, &pods, minute)).is_some());
}

#[test]
fn a_workload_without_pods_for_a_moment_is_still_waited_for() {
    let (mut plan, begin) = (Plan::new(WAIT), Instant::now());
    let app = key("app");
    plan.evicted(&app, &[pod("a", true, true)], begin);
    plan.forget_old(begin + WAIT);
    assert_eq!(plan.step(&app, &[], begin + WAIT), Step::Nothing);
    let again = [pod("b", true, true)];
    assert!(matches!(plan.step(&app, &again, begin + WAIT), Step::Stop(Stop::MissedAgain(_))));
    let mut plan = Plan::new(WAIT);
    plan.evicted(&app, &[pod("a", true, true)], begin);
    plan.refused(&key("other"), begin);
    plan.forget_old(begin + Duration::from_hours(3));
    assert!(plan.workloads.is_empty() && plan.last.is_empty());
}

#[test]
fn refused_evictions_are_limited_too() {
    let (mut plan, now) = (Plan::new(WAIT), Instant::now());
    for index in 0..ASKED_PER_MINUTE {
        let app = key(&format!("app-{index}"));
        assert!(evicts(&plan.step(&app, &[pod("a", false, true)], now)).is_some(), "{index}");
        plan.refused(&app, now);
    }
    let pods = [pod("a", false, true)];
    assert_eq!(plan.step(&key("next"), &pods, now), Step::Nothing);
    assert!(evicts(&plan.step(&key("next"), &pods, now + MINUTE)).is_some());
}

#[test]
fn namespaces_take_turns() {
    let of = |namespace: &str, name: &str| ("ReplicaSet", namespace.to_owned(), name.to_owned());
    let keys =
        || [of("a", "1"), of("a", "2"), of("a", "3"), of("b", "1"), of("c", "1"), of("c", "2")];
    let now = Instant::now();
    let order = |plan: &Plan| {
        let turns = plan.in_turn(keys(), now).into_iter();
        turns.map(|(_, namespace, name)| format!("{namespace}{name}")).collect::<Vec<_>>().join(" ")
    };
    let mut plan = Plan::new(WAIT);
    assert_eq!(order(&plan), "a1 b1 c1 a2 c2 a3");
    plan.evicted(&of("a", "1"), &[], now);
    assert_eq!(order(&plan), "a1 b1 c1 a2 c2 a3", "a1 is only waited for, so a2 is the first of a");
    plan.evicted(&of("c", "9"), &[], now + Duration::from_secs(1));
    assert_eq!(order(&plan), "a1 b1 a2 c1 a3 c2");
}
