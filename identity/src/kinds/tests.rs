//! What the kinds select, and what is not readable.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::{Association, Labels};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn object<'a>(name: &'a str, created: i64, spec: &'a Value) -> RawObject<'a> {
    RawObject { name, created: Timestamp::from_second(created).ok(), spec }
}

/// The name of the pattern that is for a ServiceAccount.
fn found(patterns: &Patterns, service_account: &str, own: &Labels, namespace: &Labels) -> String {
    let service_account = service_account.parse().unwrap();
    patterns.deciding(&service_account, own, namespace).unwrap_or_default().to_owned()
}

#[test]
fn an_association_is_read_and_its_name_says_whose_it_is() {
    let spec = json!({"namespace": "shop", "serviceAccount": "app.v1", "roleARN": ROLE,
        "targetRoleARN": "arn:aws:iam::444455556666:role/t", "externalID": "shop/app",
        "disableSessionTags": true, "podTags": false, "policy": "{}\n", "durationSeconds": 900,
        "sessionName": "{pod.name}.x", "notBefore": "2026-11-30T12:00:00Z"});
    let read = Association::read_object("shop.app.v1", &spec).unwrap();
    assert_eq!(read.service_account.to_string(), "shop/app.v1");
    assert_eq!(read.role.unwrap().as_str(), ROLE);
    assert_eq!((read.policy.as_deref(), read.pod_tags), (Some("{}\n"), Some(false)));
    assert_eq!(read.not_before.unwrap().as_second(), 1_796_040_000);
    for name in ["shop.app", "shop", "shop-app.v1", ".app.v1"] {
        assert!(Association::read_object(name, &spec).is_err(), "{name}");
    }
    let name = Association::object_name(&read.service_account);
    assert_eq!(Association::service_account_of(&name), Some(read.service_account));
}

#[test]
fn what_this_version_cannot_read_is_said_without_values() {
    let base = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": ROLE});
    for (field, value, word) in [
        ("onlyOnTuesdays", json!("hunter2"), "onlyOnTuesdays"),
        ("roleARN", json!("hunter2"), "roleARN"),
        ("durationSeconds", json!("hunter2"), "invalid type: string"),
        ("targetRoleARN", json!("arn:aws:iam::1:role/t"), "targetRoleARN"),
        ("durationSeconds", json!(60), "durationSeconds"),
        ("externalID", json!("a b"), "externalID"),
        ("sessionName", json!("{pod.uid}"), "pod.uid"),
    ] {
        let mut spec = base.clone();
        spec[field] = value;
        let error = Association::read_object("shop.app", &spec).unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        assert!(error.contains("PodIdentityAssociation shop.app"), "{error}");
    }
    assert!(Association::read_object("shop.app", &json!("text")).is_err());
}

#[test]
fn a_pattern_selects_by_all_that_it_names() {
    let spec = json!({"namespaces": ["shop-*", "eu"], "namespaceSelector": {"matchLabels":
        {"team": "a"}}, "serviceAccounts": ["*-app"], "serviceAccountSelector":
        {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["test"]}]},
        "roleARN": ROLE});
    let patterns = Patterns::read([object("p", 0, &spec)]);
    let (team, none) = (labels(&[("team", "a")]), Labels::new());
    assert_eq!(found(&patterns, "shop-x/web-app", &none, &team), "p");
    assert_eq!(found(&patterns, "shop-x/web-app", &labels(&[("tier", "test")]), &team), "");
    assert_eq!(found(&patterns, "shop/web-app", &none, &team), "", "the glob wants a dash");
    assert_eq!(found(&patterns, "shop-x/web-app", &none, &none), "", "the namespace's label");
    assert_eq!(found(&patterns, "eu/web", &none, &team), "", "the name");
    assert_eq!(patterns.label_keys().into_iter().collect::<Vec<_>>(), ["tier"]);
}

#[test]
fn an_empty_selector_selects_all_and_a_run_of_stars_is_one() {
    let spec = json!({"namespaceSelector": {}, "serviceAccounts": ["**"], "roleARN": ROLE});
    let patterns = Patterns::read([object("p", 0, &spec)]);
    assert_eq!(found(&patterns, "any/app", &Labels::new(), &Labels::new()), "p");
}

#[test]
fn label_expressions_mean_what_they_mean_in_kubernetes() {
    let matches = |expression: Value, own: &[(&str, &str)]| {
        let selector = json!({"matchExpressions": [expression]});
        let selector: selector::LabelSelector = serde_json::from_value(selector).unwrap();
        selector.matches(&labels(own))
    };
    let of = |operator: &str, values: &[&str]| json!({"key": "k", "operator": operator, "values": values});
    for (expression, with_a, with_b, without) in [
        (of("In", &["a"]), true, false, false),
        (of("NotIn", &["a"]), false, true, true),
        (of("Exists", &[]), true, true, false),
        (of("DoesNotExist", &[]), false, false, true),
    ] {
        assert_eq!(matches(expression.clone(), &[("k", "a")]), with_a, "{expression}");
        assert_eq!(matches(expression.clone(), &[("k", "b")]), with_b, "{expression}");
        assert_eq!(matches(expression.clone(), &[]), without, "{expression}");
    }
}

#[test]
fn the_highest_priority_decides_then_the_oldest_then_the_name() {
    let with = |priority: Option<i32>| {
        let mut spec = json!({"namespaces": ["*"], "roleARN": ROLE});
        if let Some(priority) = priority {
            spec["priority"] = priority.into();
        }
        spec
    };
    let (plain, high, low) = (with(None), with(Some(101)), with(Some(99)));
    let first = |objects: Vec<RawObject<'_>>| {
        found(&Patterns::read(objects), "shop/app", &Labels::new(), &Labels::new())
    };
    assert_eq!(first(vec![object("a", 0, &plain), object("b", 9, &high)]), "b");
    assert_eq!(first(vec![object("a", 0, &low), object("b", 9, &plain)]), "b");
    assert_eq!(first(vec![object("a", 9, &plain), object("b", 0, &plain)]), "b");
    assert_eq!(first(vec![object("b", 0, &plain), object("a", 0, &plain)]), "a");
}

#[test]
fn a_pattern_whose_selection_is_not_known_may_be_for_all() {
    for selection in [json!({"namespaces": "shop"}), json!({}), json!({"namespaceSelector": 1})] {
        let mut spec = selection.clone();
        spec["roleARN"] = ROLE.into();
        let patterns = Patterns::read([object("p", 0, &spec)]);
        assert_eq!(found(&patterns, "any/app", &Labels::new(), &Labels::new()), "p", "{selection}");
        assert_eq!(patterns.unreadable().count(), 1);
    }
    let spec = json!({"namespaces": ["a"], "roleARN":
        "arn:aws:iam::111122223333:role/{namespace}-{serviceAccount}"});
    assert_eq!(Patterns::read([object("p", 0, &spec)]).unreadable().count(), 1);
}

#[test]
fn the_oldest_200_count_and_more_guard_rails_permit_less() {
    let names: Vec<String> = (0..201).map(|index| format!("p{index:03}")).collect();
    let spec = json!({"namespaces": ["shop"], "roleARN": ROLE});
    // The first by name is the newest.
    let age = |index: i64| if index == 0 { 1000 } else { index };
    let objects = names.iter().zip(0..).map(|(name, index)| object(name, age(index), &spec));
    let patterns = Patterns::read(objects);
    assert_eq!((patterns.len(), patterns.over_limit()), (200, &["p000".to_owned()][..]));
    let role = ROLE.parse().unwrap();
    let (own, all) = (json!({"namespaces": ["own"], "permittedRoles": [ROLE]}), Labels::new());
    let objects = |last: usize| {
        names.iter().zip(0..).take(last).map(|(name, index)| object(name, index, &own))
    };
    let verdict = |rails: &Guardrails, namespace| rails.check(&role, namespace, &all);
    let rails = Guardrails::read(objects(200));
    assert_eq!(verdict(&rails, "own"), GuardrailVerdict::Permitted);
    let flooded = json!({"namespaces": ["other"], "permittedRoles": [ROLE]});
    let rails = Guardrails::read(objects(200).chain([object("z", 999, &flooded)]));
    assert_eq!(verdict(&rails, "own"), GuardrailVerdict::Permitted);
    assert_eq!(verdict(&rails, "other"), GuardrailVerdict::NotPermitted(vec!["z".to_owned()]));
    assert_eq!(rails.over_limit().collect::<Vec<_>>(), ["z"]);
}

#[test]
fn guard_rails_add_up_and_a_malformed_one_permits_none() {
    let role: crate::RoleArn = ROLE.parse().unwrap();
    let rail = |permitted: &str| json!({"namespaces": ["shop"], "permittedRoles": [permitted]});
    let (other, own, bad) = (
        rail("arn:aws:iam::444455556666:role/*"),
        rail("arn:aws:iam::111122223333:role/*"),
        rail("*"),
    );
    let check = |specs: &[&Value], namespace: &str| {
        let objects = specs.iter().map(|spec| object("r", 0, spec));
        Guardrails::read(objects).check(&role, namespace, &Labels::new())
    };
    let refused = |count| GuardrailVerdict::NotPermitted(vec!["r".to_owned(); count]);
    assert_eq!(check(&[], "shop"), GuardrailVerdict::Permitted);
    assert_eq!(check(&[&other], "shop"), refused(1));
    assert_eq!(check(&[&other, &own], "shop"), GuardrailVerdict::Permitted);
    assert_eq!(check(&[&other], "elsewhere"), GuardrailVerdict::Permitted);
    assert_eq!(check(&[&bad], "shop"), refused(1));
    let unknown = json!({"namespaces": 7, "permittedRoles": [ROLE]});
    assert!(matches!(check(&[&unknown], "any"), GuardrailVerdict::Unreadable(_)));
    assert_eq!(check(&[&unknown, &own], "shop"), GuardrailVerdict::Permitted);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "there is no runtime whose clock could be paused")]
fn globs_of_the_greatest_length_are_quick() {
    let globs: Vec<String> =
        (0..64).map(|index| format!("{}{index:03}", "*a".repeat(125))).collect();
    let spec = json!({"namespaces": globs, "roleARN": ROLE});
    let patterns = Patterns::read([object("p", 0, &spec)]);
    let namespace = format!("{}/app", "a".repeat(63));
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(found(&patterns, &namespace, &Labels::new(), &Labels::new()), "");
    }
    let each = begun.elapsed() / 100;
    assert!(each < std::time::Duration::from_millis(10), "{each:?}");
}
