//! Two inputs for one ServiceAccount.

use super::*;

#[test]
fn identical_ones_merge() {
    let (eks, list) = (
        fixture("eks.json"),
        "{\"identities\": [{\"namespace\": \"shop\",
        \"serviceAccount\": \"orders\",
        \"roleArn\": \"arn:aws:iam::111122223333:role/shop-orders\"}]}",
    );
    let alone = import(&eks).unwrap();
    for files in [[("a", eks.as_str()), ("b", list)], [("b", list), ("a", eks.as_str())]] {
        // EKS's names and the comments of each are kept.
        assert_eq!(import_all(&files).unwrap(), alone);
    }
    assert_eq!(import_all(&[("a", &eks), ("b", &eks)]).unwrap(), alone);
}

#[test]
fn different_ones_are_an_error_with_both_places() {
    let other = list(&format!("\"roleArn\": \"{ROLE}\", \"durationSeconds\": 900"));
    let first = list("\"roleArn\": \"arn:aws:iam::111122223333:role/other\"");
    let errors = import_all(&[("a.json", &first), ("b.json", &other)]).unwrap_err();
    assert_eq!(
        errors,
        ["b.json:2: shop/app: it is also at a.json:2, with another durationSeconds, roleARN; \
          remove one of them"]
    );
    // A difference that is no other role counts too.
    let same_role = list(&format!("\"roleArn\": \"{ROLE}\""));
    let errors = import_all(&[("a.json", &same_role), ("b.json", &other)]).unwrap_err();
    assert_eq!(
        errors,
        [
            "b.json:2: shop/app: it is also at a.json:2, with another durationSeconds; remove one of \
          them"
        ]
    );
}

#[test]
fn the_output_does_not_depend_on_the_order_of_the_input() {
    let (eks, terraform) = (fixture("eks.json"), fixture("terraform-show.json"));
    let one = import_all(&[("a", &eks), ("b", &terraform)]).unwrap();
    assert_eq!(import_all(&[("b", &terraform), ("a", &eks)]).unwrap(), one);
}
