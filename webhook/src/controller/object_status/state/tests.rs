//! Which statuses are written, and when.

use super::*;
use podrole_identity::PermittedRoles;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

static COUNT: AtomicU32 = AtomicU32::new(1);

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

fn association(namespace: &str, status: Value) -> Change {
    let spec = json!({"namespace": namespace, "serviceAccount": "app", "roleARN": ROLE});
    Change::Object(Seen {
        kind: Kind::Association,
        name: format!("{namespace}.app"),
        created: None,
        generation: 1,
        spec,
        status,
    })
}

fn guardrail(permitted: &[&str]) -> Change {
    named_guardrail("rail", permitted)
}

fn named_guardrail(name: &str, permitted: &[&str]) -> Change {
    Change::Object(Seen {
        kind: Kind::Guardrail,
        name: name.to_owned(),
        created: None,
        generation: 1,
        spec: json!({"namespaces": ["shop"], "permittedRoles": permitted}),
        status: Value::Null,
    })
}

/// Writes all that is due; returns the names.
fn write(state: &mut State) -> Vec<String> {
    while state.step() {}
    let (mut names, mut now) = (Vec::new(), Instant::now());
    // Long after what was written before.
    now += std::time::Duration::from_secs(60) * 60 * COUNT.fetch_add(1, SeqCst);
    while let Some(key) = state.pop(now) {
        let Some((verdict, generation)) = state.wanted(&key) else { continue };
        let status = status(&verdict, generation, &Value::Null, Timestamp::UNIX_EPOCH);
        names.push(format!("{} {}", key.1, verdict.reason));
        state.written(&key, &status);
    }
    names
}

#[test]
fn a_status_is_written_if_it_changes_and_only_then() {
    let mut state = State::new(GrantRules::default());
    state.apply(association("shop", Value::Null));
    state.apply(association("shop-2", Value::Null));
    assert_eq!(write(&mut state), ["shop.app Valid", "shop-2.app Valid"]);
    assert!(write(&mut state).is_empty(), "nothing changed");
    state.apply(Change::ServiceAccount("shop/app".parse().unwrap()));
    assert_eq!(write(&mut state), ["shop.app Valid"], "it was found");
    state.apply(Change::ServiceAccount("shop/app".parse().unwrap()));
    state.apply(Change::ServiceAccount("shop/other".parse().unwrap()));
    assert!(write(&mut state).is_empty());
    state.apply(guardrail(&[]));
    assert_eq!(write(&mut state), ["rail Valid", "shop.app NotPermitted"]);
    state.apply(guardrail(&[ROLE]));
    assert_eq!(write(&mut state), ["rail Valid", "shop.app Valid"]);
    state.apply(Change::ObjectGone(Kind::Guardrail, "rail".to_owned()));
    assert!(write(&mut state).is_empty(), "every role is permitted as before");
    let none = PermittedRoles::read(Some(""));
    let facts = NamespaceFacts { permitted: none, ..NamespaceFacts::default() };
    state.apply(Change::Namespace("shop".to_owned(), facts));
    assert_eq!(write(&mut state), ["shop.app NotPermitted"], "and not that of shop-2");
    state.apply(Change::NamespaceGone("shop".to_owned()));
    assert_eq!(write(&mut state), ["shop.app Valid"]);
}

#[test]
fn changes_of_one_object_are_written_once_and_a_hand_edited_status_is_restored() {
    let mut state = State::new(GrantRules::default());
    state.apply(association("shop", Value::Null));
    state.apply(guardrail(&[]));
    state.apply(guardrail(&[ROLE]));
    state.apply(guardrail(&[]));
    assert_eq!(write(&mut state), ["rail Valid", "shop.app NotPermitted"]);
    state.apply(association("shop", json!({"observedGeneration": 7})));
    assert_eq!(write(&mut state), ["shop.app NotPermitted"]);
    state.apply(association("shop", Value::Null));
    state.apply(Change::ObjectGone(Kind::Association, "shop.app".to_owned()));
    assert!(write(&mut state).is_empty());
}

/// Judging them takes seconds if there are many, and the Lease must be renewed meanwhile.
#[test]
fn any_number_of_objects_is_judged_slice_by_slice() {
    let mut state = State::new(GrantRules::default());
    for index in 0..1200 {
        state.apply(association(&format!("shop-{index:04}"), Value::Null));
        state.apply(named_guardrail(&format!("rail-{index:04}"), &[]));
    }
    let spec = json!({"namespaces": ["shop"], "roleARN": ROLE});
    for index in 0..1200 {
        let name = format!("pattern-{index:04}");
        let (kind, status, spec) = (Kind::Pattern, Value::Null, spec.clone());
        let seen = Seen { kind, name, created: None, generation: 1, spec, status };
        state.apply(Change::Object(seen));
    }
    let mut judged = Vec::new();
    loop {
        let before = state.due();
        let more = state.step();
        judged.push(state.due() - before);
        if !more {
            break;
        }
    }
    assert!(judged.iter().all(|judged| *judged <= SLICE), "{judged:?}");
    assert_eq!(state.due(), 3600);
    let over = write(&mut state);
    let over = over.iter().filter(|it| it.ends_with("LimitExceeded")).count();
    assert_eq!(over, 2000, "of 1,200 patterns and 1,200 guard-rails");
}
