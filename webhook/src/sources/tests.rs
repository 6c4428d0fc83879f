//! Which source decides, and what of the others still counts.

use podrole_identity::{AnnotationPrefix, Annotations};

use super::*;
use crate::Settings;

const OWN: &str = "arn:aws:iam::111122223333:role/own";

fn account() -> ServiceAccountRef {
    "shop/app".parse().unwrap()
}

fn said(pairs: &[(&str, &str)]) -> Option<ServiceAccountAnnotations> {
    let annotations: Annotations =
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Some(ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default()))
}

fn latest<T>(value: T) -> Option<Latest<T>> {
    let latest = Latest::default();
    latest.set(value);
    Some(latest)
}

fn list(role: &str) -> Option<Latest<AssociationList>> {
    let text = format!(r#"{{"identities":[{{"namespace":"shop","serviceAccount":"app"{role}}}]}}"#);
    latest(AssociationList::read(&text).unwrap())
}

fn map() -> Option<Latest<RoleMap>> {
    let text = r#"{"shop/app":{"RoleARN":"arn:aws:iam::111122223333:role/mapped",
        "Audience":"mapped","TokenExpiration":700,"UseRegionalSTS":true}}"#;
    latest(RoleMap::read(text, None).unwrap().0)
}

/// Who decides, the role's name and the path.
fn bound(sources: &Sources, said: Option<ServiceAccountAnnotations>) -> String {
    let binding = sources.bind(&account(), said).unwrap();
    let Some(grant) = binding.grant() else {
        return "nobody".to_owned();
    };
    let role = grant.role.as_ref().map_or("-", |role| role.name());
    format!("{}: {role} by {}", grant.source.as_str(), grant.path(&Settings::default()))
}

#[test]
fn the_first_source_that_names_the_service_account_decides() {
    const ROLE: (&str, &str) = ("eks.amazonaws.com/role-arn", OWN);
    let given = r#","roleArn":"arn:aws:iam::111122223333:role/given""#;
    let all = Sources { associations: list(given), config_map: map() };
    assert_eq!(bound(&all, said(&[ROLE])), "association list: given by container");
    let without_role = Sources { associations: list(""), ..all.clone() };
    assert_eq!(bound(&without_role, said(&[ROLE])), "association list: own by container");
    assert_eq!(bound(&without_role, None), "association list: - by container");
    let mapped = Sources { associations: latest(AssociationList::default()), ..all };
    assert_eq!(bound(&mapped, said(&[ROLE])), "annotation: own by web-identity");
    assert_eq!(bound(&mapped, said(&[])), "ConfigMap: mapped by web-identity");
    assert_eq!(bound(&mapped, None), "ConfigMap: mapped by web-identity");
    assert_eq!(bound(&Sources::default(), None), "nobody");
    let bad = mapped.bind(&account(), said(&[("eks.amazonaws.com/role-arn", "own")])).unwrap();
    assert_eq!(bad.grant(), None, "a bad role is not passed over");
}

#[test]
fn a_bad_annotation_does_not_undo_an_association() {
    let sources = Sources { associations: list(""), config_map: None };
    let bad = said(&[("eks.amazonaws.com/role-arn", "own")]);
    assert_eq!(bound(&sources, bad), "association list: - by container");
}

#[test]
fn the_config_map_fills_what_the_service_account_does_not_say() {
    let sources = Sources { associations: None, config_map: map() };
    let silent = sources.bind(&account(), None).unwrap().said;
    assert_eq!(silent.audience.unwrap().as_str(), "mapped");
    assert_eq!(silent.token_expiration.unwrap().seconds(), 700);
    assert_eq!(silent.sts_regional_endpoints, Some(true));
    let speaks = said(&[
        ("eks.amazonaws.com/audience", "own"),
        ("eks.amazonaws.com/token-expiration", "800"),
        ("eks.amazonaws.com/sts-regional-endpoints", "false"),
    ]);
    let speaks = sources.bind(&account(), speaks).unwrap().said;
    assert_eq!(speaks.audience.unwrap().as_str(), "own");
    assert_eq!(speaks.token_expiration.unwrap().seconds(), 800);
    assert_eq!(speaks.sts_regional_endpoints, Some(false));
}

#[test]
fn a_source_that_is_not_read_yet_is_not_no_role() {
    let role = said(&[("eks.amazonaws.com/role-arn", OWN)]);
    let list = Sources { associations: Some(Latest::default()), config_map: None };
    assert_eq!(list.bind(&account(), role.clone()), Err(LookupError::Unsynced));
    let map = Sources { associations: None, config_map: Some(Latest::default()) };
    assert_eq!(map.bind(&account(), None), Err(LookupError::Unsynced));
    assert!(map.bind(&account(), role).is_ok(), "an earlier source has decided");
}
