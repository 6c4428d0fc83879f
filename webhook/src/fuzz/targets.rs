//! A target for each format that comes from outside: noise, and valid samples with a few characters
//! changed, which get further into the parsers.

use podrole_identity::{
    AnnotationPrefix, AssociationList, PermittedRoles, PermittedSecrets, PodAnnotations, RoleMap,
    ServiceAccountAnnotations,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::json;

use super::{annotations, any_json, value};
use crate::fuzzing;

const REVIEWS: [&str; 3] = [
    r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1",
    "kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","namespace":"shop",
    "object":{"spec":{"serviceAccountName":"app","containers":[{"name":"c"}]}},"dryRun":false}}"#,
    r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"\u0075",
    "kind":{"group":"","version":"v1","kind":"Pod"},"operation":"UPDATE","subResource":
    "ephemeralcontainers","object":{"spec":{"containers":[],"ephemeralContainers":
    [{"name":"d","targetContainerName":"c"}]}},"oldObject":null}}"#,
    r#"{"request":{"uid":"u"},"apiVersion":"admission.k8s.io/v9"}"#,
];
const LISTS: [&str; 2] = [
    r#"{"identities":[{"namespace":"shop","serviceAccount":"app"}]}"#,
    r#"{"identities":[{"namespace":"a","serviceAccount":"b","roleArn":
    "arn:aws:iam::111122223333:role/app","targetRoleArn":"arn:aws:iam::111122223333:role/b",
    "durationSeconds":900,"disableSessionTags":true,"policy":"{}"}]}"#,
];
const MAPS: [&str; 2] = [
    r#"{"shop/app":{"RoleARN":"arn:aws:iam::111122223333:role/app","Audience":"x"}}"#,
    r#"{"*/app":{"rolearn":"arn:aws:iam::111122223333:role/a","TokenExpiration":600,
    "UseRegionalSTS":true}}"#,
];
const GUARD_RAILS: [&str; 2] = ["arn:aws:iam::111122223333:role/app-*, arn:aws:iam::*:role/b", "*"];

/// A sample with a few characters replaced, removed or inserted.
fn mangled(samples: &'static [&'static str]) -> impl Strategy<Value = String> {
    let edit =
        (any::<Index>(), 0..3_u8, prop_oneof![Just('"'), Just('{'), Just('\0'), any::<char>()]);
    (any::<Index>(), vec(edit, 0..8)).prop_map(|(which, edits)| {
        let mut text: Vec<char> = which.get(samples).chars().collect();
        for (at, kind, new) in edits {
            let at = at.index(text.len().max(1));
            match kind {
                0 if at < text.len() => text[at] = new,
                1 if at < text.len() => drop(text.remove(at)),
                _ => text.insert(at.min(text.len()), new),
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reviews(text in mangled(&REVIEWS), noise: Vec<u8>) {
        fuzzing::review(text.as_bytes());
        fuzzing::review(&noise);
    }

    #[test]
    fn patches_leave_alone_what_is_not_ours(of_service_account in annotations(), pod in any_json()) {
        let annotations = json!(of_service_account);
        for pod in [pod.clone(), json!({"spec": {"serviceAccountName": "app", "containers": [{"name": "a"}, pod]}})] {
            fuzzing::mutate(format!("{annotations}\n{pod}").as_bytes());
        }
    }

    /// An invalid value never becomes a role.
    #[test]
    fn annotations_of_pods_and_service_accounts(all in annotations(), role in value()) {
        let prefix = AnnotationPrefix::default();
        let _ = PodAnnotations::read(&all, &prefix);
        let mut all = all;
        all.insert("eks.amazonaws.com/role-arn".to_owned(), role.clone());
        let annotations = ServiceAccountAnnotations::read(&all, &prefix);
        if let Some(read) = annotations.role {
            prop_assert_eq!(read.to_string(), role);
        }
    }

    /// A list never finds a ServiceAccount that it does not have.
    #[test]
    fn association_lists(text in mangled(&LISTS), noise in value(), json in any_json()) {
        for text in [text, noise, json.to_string(), format!(r#"{{"identities":[{json}]}}"#)] {
            if let Ok(list) = AssociationList::read(&text) {
                prop_assert!(list.find(&"absent/absent".parse().unwrap()).is_none());
                let objects = text.matches('{').count();
                prop_assert!(list.len() <= objects);
            }
        }
    }

    /// An invalid entry does not affect the others.
    #[test]
    fn config_maps(
        text in mangled(&MAPS), noise in value(), json in any_json(), key in "\\PC{0,20}",
    ) {
        for text in [text, noise] {
            let _ = RoleMap::read(&text, None);
        }
        let map = json!({key: json.clone(), "shop/app": json, "shop/good":
            {"RoleARN": "arn:aws:iam::111122223333:role/app"}}).to_string();
        let (map, _) = RoleMap::read(&map, None).unwrap();
        prop_assert!(map.find(&"shop/good".parse().unwrap()).is_some());
    }

    #[test]
    fn guard_rails(text in mangled(&GUARD_RAILS), noise in value()) {
        for text in [text, noise] {
            let _ = PermittedRoles::read(Some(&text));
            let _ = PermittedSecrets::read(Some(&text)).permits("db");
        }
    }
}
