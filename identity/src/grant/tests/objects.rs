//! What patterns, guard-rails, times and a namespace's label decide.

use serde_json::json;

use super::*;
use crate::RawObject;

fn pattern(spec: &serde_json::Value) -> Patterns {
    Patterns::read([RawObject { name: "team", created: None, spec }])
}

fn guardrail(spec: &serde_json::Value) -> Guardrails {
    Guardrails::read([RawObject { name: "rail", created: None, spec }])
}

#[test]
fn a_pattern_comes_between_list_and_annotation_even_if_it_decides_no() {
    let spec = json!({"namespaces": ["sh*"], "roleARN":
        "arn:aws:iam::111122223333:role/{namespace}.{serviceAccount}"});
    let all = World { patterns: pattern(&spec), ..World::listed(GIVEN) };
    let all = World { annotations: World::annotated(&[OWN]).annotations, ..all };
    assert_eq!(all.granted(&web()), "association list: given by container");
    let patterned = World { listed: None, ..all.clone() };
    assert_eq!(patterned.granted(&web()), "pattern: shop.app by container");
    assert_eq!(patterned.grant(&web()).unwrap().unwrap().pattern.as_deref(), Some("team"));
    let long = format!("arn:aws:iam::111122223333:role/{{namespace}}.{}", "r".repeat(70));
    let spec = json!({"namespaces": ["*"], "roleARN": long});
    let bad = World { patterns: pattern(&spec), ..patterned };
    assert_eq!(bad.reason(&web()), "BadRole");
    let denial = bad.grant(&web()).unwrap_err();
    assert!(denial.to_string().contains("PodIdentityPattern team"), "{denial}");
    assert!(denial.summary().chars().count() <= 120, "{}", denial.summary());
}

#[test]
fn an_object_with_an_unknown_field_decides_that_nothing_is_known() {
    let spec = json!({"namespaces": ["shop"], "roleARN": "arn:aws:iam::111122223333:role/a",
        "onlyOnTuesdays": true});
    let patterned = World { patterns: pattern(&spec), ..World::annotated(&[OWN]) };
    assert_eq!(patterned.reason(&web()), "UnreadableObject");
    let sentence = patterned.grant(&web()).unwrap_err().to_string();
    assert!(sentence.contains("PodIdentityPattern team") && sentence.contains("onlyOnTuesdays"));
    let unreadable = Association::read_object(
        "shop.app",
        &json!({"namespace": "shop",
        "serviceAccount": "app", "roleARN": "arn:aws:iam::111122223333:role/a", "x": 1}),
    );
    let unreadable = unreadable.unwrap_err();
    let denied = World::listed(GIVEN).with_facts(|facts| {
        let sources = Sources { association: Some(Err(&unreadable)), ..facts.sources };
        grant(&Facts { sources, ..*facts }, &web())
    });
    assert_eq!(denied.unwrap_err().reason.name(), "UnreadableObject");
}

#[test]
fn a_role_must_pass_the_guard_rails_and_the_annotation() {
    const OWN_ACCOUNT: &str = "arn:aws:iam::111122223333:role/*";
    let with = |permitted: &[&str]| {
        let spec = json!({"namespaces": ["shop"], "permittedRoles": permitted});
        World { guardrails: guardrail(&spec), ..World::annotated(&[OWN]) }
    };
    assert_eq!(with(&[OWN_ACCOUNT]).reason(&web()), "granted");
    assert_eq!(with(&[]).reason(&web()), "NotPermitted");
    assert_eq!(with(&[OWN_ACCOUNT]).permitting("").reason(&web()), "NotPermitted");
    assert_eq!(with(&[]).permitting(OWN_ACCOUNT).reason(&web()), "NotPermitted");
    let sentence = with(&[]).grant(&web()).unwrap_err().to_string();
    assert!(sentence.contains("PodIdentityGuardrail") && sentence.contains("(rail)"), "{sentence}");
    // With annotation roles, a guard-rail object bounds the agent's power as the annotation does.
    let allowed = GrantRules { annotation_roles: true, ..assume() };
    let container = World {
        annotations: World::annotated(&[OWN, CONTAINER]).annotations,
        ..with(&[OWN_ACCOUNT])
    };
    assert_eq!(container.reason(&allowed), "granted");
    let unknown = json!({"namespaces": ["shop"], "permittedRoles": [OWN_ACCOUNT], "x": 1});
    let unknown = World { guardrails: guardrail(&unknown), ..World::annotated(&[OWN]) };
    assert_eq!(unknown.reason(&web()), "UnreadableObject");
}

#[test]
fn the_later_of_two_times_ends_sessions() {
    let time = |text: &str| Some(text.parse::<jiff::Timestamp>().unwrap());
    let (early, late) = (time("2026-11-30T10:00:00Z"), time("2026-11-30T11:00:00Z"));
    for (own, namespace, expected) in
        [(early, late, late), (late, early, late), (None, late, late), (early, None, early)]
    {
        let mut world = World::listed(GIVEN);
        world.namespace.not_before = namespace;
        world.listed = world.listed.map(|it| Association { not_before: own, ..it });
        assert_eq!(world.grant(&web()).unwrap().unwrap().not_before, expected);
    }
}

#[test]
fn a_namespace_can_ask_for_container_before_any_source_exists() {
    let mut world = World::default();
    let injected = |world: &World| injected_provider(&world.grant(&web()), &world.namespace);
    assert_eq!(injected(&world), None);
    world.namespace.credentials = Some(CredentialProvider::Container);
    assert_eq!(injected(&world), Some(CredentialProvider::Container));
    let annotated = World { namespace: world.namespace, ..World::annotated(&[OWN]) };
    assert_eq!(injected(&annotated), Some(CredentialProvider::WebIdentity));
}
