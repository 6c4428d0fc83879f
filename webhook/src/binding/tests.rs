//! What a binding keeps of a decision. The decision itself is tested in the identity crate.

use std::sync::Arc;

use podrole_identity::{AnnotationRules, Annotations, RoleMap};

use super::*;
use crate::Settings;

const ROLE: (&str, &str) = ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/app");

fn binding(pairs: &[(&str, &str)], map: &RoleMap) -> Binding {
    let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let annotations = AnnotationRules::default().read(pairs.collect::<Annotations>());
    let service_account = "shop/app".parse().unwrap();
    let snapshot = Snapshot { map: Some(Arc::new(map.clone())), ..Snapshot::default() };
    let settings = Settings::default();
    Binding::new(
        &service_account,
        annotations.into(),
        &snapshot,
        &NamespaceFacts::default(),
        &settings,
    )
}

fn annotated(pairs: &[(&str, &str)]) -> Binding {
    binding(pairs, &RoleMap::default())
}

#[test]
fn a_service_account_without_role_secrets_and_problems_is_idle() {
    assert!(annotated(&[]).is_idle());
    assert!(annotated(&[("podrole.io/credentials", "container")]).is_idle());
    assert!(!annotated(&[("secret.podrole.io/db", "/etc/db")]).is_idle());
    assert!(!annotated(&[("secret.podrole.io/db", "etc/db")]).is_idle());
    assert!(!annotated(&[("podrole.io/endpoint-url", "https://a.example")]).is_idle());
    assert!(!annotated(&[ROLE]).is_idle());
    let denied = annotated(&[(ROLE.0, "app"), ("podrole.io/credentials", "container")]);
    assert!(!denied.is_idle() && denied.role().is_none());
    assert_eq!(denied.provider, Some(CredentialProvider::Container));
}

#[test]
fn the_config_map_fills_what_the_service_account_leaves_open() {
    let text = r#"{"shop/app":{"RoleARN":"arn:aws:iam::111122223333:role/mapped",
        "Audience":"mapped","TokenExpiration":700,"UseRegionalSTS":true}}"#;
    let map = RoleMap::read(text, None).unwrap().0;
    let plain = binding(&[], &map).annotations;
    assert_eq!(plain.audience.unwrap().as_str(), "mapped");
    assert_eq!(plain.token_expiration.unwrap().seconds(), 700);
    assert_eq!(plain.sts_regional_endpoints, Some(true));
    let own = [
        ("eks.amazonaws.com/audience", "own"),
        ("eks.amazonaws.com/token-expiration", "800"),
        ("eks.amazonaws.com/sts-regional-endpoints", "false"),
    ];
    let annotated = binding(&own, &map).annotations;
    assert_eq!(annotated.audience.unwrap().as_str(), "own");
    assert_eq!(annotated.token_expiration.unwrap().seconds(), 800);
    assert_eq!(annotated.sts_regional_endpoints, Some(false));
    assert_eq!(binding(&[ROLE], &map).annotations.audience, None, "the annotation decides");
}
