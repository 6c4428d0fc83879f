//! Who a pod is, and whom its namespace permits.

use super::*;
use podrole_identity::{AnnotationPrefix, Annotations, AssociationList};

fn account() -> ServiceAccountRef {
    "shop/app".parse().unwrap()
}

fn binding(pairs: &[(&str, &str)]) -> Binding {
    let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let annotations: Annotations = pairs.collect();
    let said = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
    Binding::annotated(&account(), said)
}

const ROLE: (&str, &str) = ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/app");

#[test]
fn nobody_is_nobody() {
    assert_eq!(binding(&[]).identity, Identity::None);
    assert!(binding(&[]).is_idle());
    let silent = binding(&[("podrole.io/credentials", "container")]);
    assert_eq!(silent.identity, Identity::None);
}

#[test]
fn who_asks_for_secrets_or_errs_is_not_idle() {
    assert!(!binding(&[("secret.podrole.io/db", "/etc/db")]).is_idle());
    assert!(!binding(&[("secret.podrole.io/db", "etc/db")]).is_idle());
    assert!(!binding(&[ROLE]).is_idle());
}

#[test]
fn a_bad_role_is_not_nobody() {
    let bad = binding(&[("eks.amazonaws.com/role-arn", "app")]);
    assert!(matches!(&bad.identity, Identity::Bad { reason: Reason::BadRole, .. }));
    assert_eq!(bad.role(), None);
}

#[test]
fn the_service_account_chooses_the_path_before_the_flag() {
    let container = Settings { credentials: CredentialProvider::Container, ..Settings::default() };
    let silent = binding(&[ROLE]);
    assert_eq!(silent.path(&Settings::default()), Some(CredentialProvider::WebIdentity));
    assert_eq!(silent.path(&container), Some(CredentialProvider::Container));
    let chooses = binding(&[ROLE, ("podrole.io/credentials", "web-identity")]);
    assert_eq!(chooses.path(&container), Some(CredentialProvider::WebIdentity));
    assert_eq!(binding(&[]).path(&container), None);
}

#[test]
fn a_guard_rail_covers_every_role_of_the_chain() {
    let list = r#"{"identities":[{"namespace":"shop","serviceAccount":"app",
        "roleArn":"arn:aws:iam::111122223333:role/app",
        "targetRoleArn":"arn:aws:iam::444455556666:role/target"}]}"#;
    let list = AssociationList::read(list).unwrap();
    let association = list.find(&account()).unwrap();
    let bound = Binding::associated(&account(), association, ServiceAccountAnnotations::default());
    for (guard_rail, is_permitted) in [
        ("arn:aws:iam::111122223333:role/*,arn:aws:iam::444455556666:role/*", true),
        ("arn:aws:iam::111122223333:role/*", false),
        ("arn:aws:iam::444455556666:role/*", false),
        ("", false),
        ("*", false),
    ] {
        let guarded = bound.clone().guarded(&PermittedRoles::read(Some(guard_rail)));
        assert_eq!(guarded.grant().is_some(), is_permitted, "{guard_rail}");
        if let Identity::Bad { reason, warning } = guarded.identity {
            assert_eq!(reason, Reason::NotPermitted);
            assert!(warning.contains("podrole.io/permitted-roles"), "{warning}");
        }
    }
    let nobody = binding(&[]).guarded(&PermittedRoles::read(Some("")));
    assert_eq!(nobody.identity, Identity::None);
}
