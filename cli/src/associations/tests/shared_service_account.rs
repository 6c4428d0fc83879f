//! Pods of one ServiceAccount, which get one role.

use serde_json::{Value, json};

use super::{
    pods::{BASE, list, pod},
    *,
};

#[test]
fn pods_with_one_role_merge() {
    let pods: Vec<Value> = (0..50).map(|index| pod(&format!("a-{index}"), ROLE)).collect();
    let alone = import(&list(&pods[..1])).unwrap();
    assert_eq!(import(&list(&pods)).unwrap(), alone);
    // One by its name, the other by its ARN.
    let text = list(&[pod("a", "app"), pod("b", ROLE), pod("c", "/app")]);
    assert_eq!(import_with(Some(BASE), &[("in", &text)]).unwrap(), alone);
}

#[test]
fn all_service_accounts_whose_pods_name_two_roles_are_listed() {
    let other = |name: &str, service_account: &str, role: &str| {
        let mut pod = pod(name, &format!("{BASE}{role}"));
        pod["spec"]["serviceAccountName"] = json!(service_account);
        pod
    };
    let first =
        list(&[other("web", "a", "one"), other("fine", "c", "one"), other("web", "b", "x")]);
    let second =
        list(&[other("api", "a", "two"), other("api", "b", "y"), other("web", "a", "one")]);
    let fix = "; an association is for all pods of a ServiceAccount, so give one of the workloads its \
               own ServiceAccount";
    assert_eq!(
        import_all(&[("a.json", &first), ("b.json", &second)]).unwrap_err(),
        [
            format!(
                "b.json:2: shop/a: its pods name 2 roles: {BASE}one (Pod web, a.json:2), {BASE}two \
                 (Pod api, b.json:2){fix}"
            ),
            format!(
                "b.json:3: shop/b: its pods name 2 roles: {BASE}x (Pod web, a.json:4), {BASE}y \
                 (Pod api, b.json:3){fix}"
            ),
        ]
    );
    let many: Vec<Value> = (0..9).map(|index| other("p", "a", &format!("r{index}"))).collect();
    let said = error(&list(&many));
    assert!(said.contains("name 9 roles: ") && said.contains("r4 (Pod p, "), "{said}");
    assert!(said.contains(") and 4 more; an association") && !said.contains("r5"), "{said}");
}

#[test]
fn ten_thousand_pods_are_imported() {
    let pods: Vec<Value> = (0..10_000)
        .map(|index| {
            let mut pod = pod(&format!("p{index}"), &format!("r{}", index / 10));
            pod["spec"]["serviceAccountName"] = json!(format!("a{}", index / 10));
            pod
        })
        .collect();
    let imported = import_with(Some(BASE), &[("in", &list(&pods))]).unwrap();
    assert_eq!(imported.matches("\n  roleARN: ").count(), 1000);
    let pods: Vec<Value> = (0..10_000).map(|index| pod("p", &format!("r{index}"))).collect();
    let errors = import_with(Some(BASE), &[("in", &list(&pods))]).unwrap_err();
    assert!(errors.len() == 1 && errors[0].contains("name 10000 roles: "), "{errors:?}");
}

#[test]
fn pods_without_the_annotation_that_would_get_the_role_are_named() {
    let mut pods = vec![pod("a", ROLE), pod("b", "")];
    let comment = "pods without the annotation iam.amazonaws.com/role get this role too: Pod b";
    let imported = import(&list(&pods)).unwrap();
    assert!(imported.starts_with(&format!("# {comment}\napi")), "{imported}");
    assert_eq!(notes(&list(&pods)), [format!("in.yaml:2: shop/app: {comment}")]);
    pods.extend(["c", "d", "e", "f"].map(|name| pod(name, "")));
    let comment = format!("# {comment}, Pod c, Pod d and 2 more\napi");
    let imported = import(&list(&pods)).unwrap();
    assert!(imported.starts_with(&comment), "{imported}");
    // The order of the input does not matter, and pods of another ServiceAccount are not concerned.
    pods.reverse();
    pods[0]["spec"]["serviceAccountName"] = json!("other");
    let imported = import(&list(&pods)).unwrap();
    assert!(
        imported.contains("too: Pod f, Pod e, Pod d and 1 more\n")
            || imported.contains("too: Pod e"),
        "{imported}"
    );
}

#[test]
fn an_association_of_another_input_must_have_the_same_role() {
    let text = list(&[pod("a", ROLE)]);
    let own = import(&text).unwrap();
    assert_eq!(import_all(&[("a", &text), ("b", &own)]).unwrap(), own);
    let errors = import_all(&[("a", &text), ("b", &own.replace("role/app", "role/b"))]);
    let said = errors.unwrap_err().remove(0);
    assert_eq!(said, "a:2: shop/app: it is also at b:5, with another roleARN; remove one of them");
}
