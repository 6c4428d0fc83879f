//! The ConfigMap of roles, valid and invalid.

use super::*;

fn read(text: &str) -> (RoleMap, Vec<String>) {
    let (map, problems) = RoleMap::read(text, None).unwrap();
    (map, problems.iter().map(ToString::to_string).collect())
}

fn role_of(map: &RoleMap, account: &str) -> Option<String> {
    map.find(&account.parse().unwrap())?.ok().map(|entry| entry.role.name().to_owned())
}

#[test]
fn the_format_of_kops_is_read() {
    let (map, problems) = read(
        r#"{"shop/app":{"RoleARN":"arn:aws:iam::111122223333:role/app",
            "Audience":"amazonaws.com","UseRegionalSTS":true,"TokenExpiration":3600},
           "*/logs":{"rolearn":"arn:aws:iam::111122223333:role/logs","TokenExpiration":0}}"#,
    );
    assert!(problems.is_empty(), "{problems:?}");
    let app = map.find(&"shop/app".parse().unwrap()).unwrap().unwrap();
    assert_eq!(app.audience.as_ref().unwrap().as_str(), "amazonaws.com");
    assert_eq!(app.sts_regional_endpoints, Some(true));
    assert_eq!(app.token_expiration.unwrap().seconds(), 3600);
    let logs = map.find(&"any-where/logs".parse().unwrap()).unwrap().unwrap();
    assert_eq!((logs.role.name(), logs.token_expiration), ("logs", None));
    assert_eq!(role_of(&map, "other/app"), None);
}

#[test]
fn the_exact_key_wins_over_any_namespace() {
    let arn = |name: &str| format!(r#"{{"RoleARN":"arn:aws:iam::111122223333:role/{name}"}}"#);
    let text = format!(r#"{{"*/app":{},"shop/app":{}}}"#, arn("any"), arn("shop"));
    let (map, _) = read(&text);
    assert_eq!(role_of(&map, "shop/app").as_deref(), Some("shop"));
    assert_eq!(role_of(&map, "dev/app").as_deref(), Some("any"));
}

#[test]
fn a_bad_key_or_value_is_reported_and_the_others_count() {
    const GOOD: &str = r#"{"RoleARN":"arn:aws:iam::111122223333:role/a"}"#;
    for (key, value, word) in [
        ("app", GOOD, "namespace/name"),
        ("test-*/app", GOOD, "a-z"),
        ("*/*", GOOD, "a-z"),
        ("shop/", GOOD, "a-z"),
        ("shop/app", "null", "not a JSON object"),
        ("shop/app", "7", "not a JSON object"),
        ("shop/app", "{}", "RoleARN is missing"),
        ("shop/app", r#"{"RoleARN":7}"#, "not a string"),
        ("shop/app", r#"{"RoleARN":"app"}"#, "not an ARN"),
        (
            "shop/app",
            r#"{"RoleARN":"arn:aws:iam::111122223333:role/a","Audience":"a b"}"#,
            "Audience",
        ),
        (
            "shop/app",
            r#"{"RoleARN":"arn:aws:iam::111122223333:role/a","TokenExpiration":"1h"}"#,
            "TokenExpiration",
        ),
        (
            "shop/app",
            r#"{"RoleARN":"arn:aws:iam::111122223333:role/a","UseRegionalSTS":"yes"}"#,
            "UseRegionalSTS",
        ),
    ] {
        let (map, problems) = read(&format!(r#"{{"{key}":{value},"shop/good":{GOOD}}}"#));
        assert_eq!(problems.len(), 1, "{key} {value}");
        assert!(problems[0].starts_with(key) && problems[0].contains(word), "{problems:?}");
        assert_eq!(role_of(&map, "shop/good").as_deref(), Some("a"));
        assert_eq!(role_of(&map, "shop/app"), None);
    }
}

#[test]
fn a_lifetime_out_of_bounds_is_clamped() {
    let (map, _) =
        read(r#"{"a/b":{"RoleARN":"arn:aws:iam::111122223333:role/a","TokenExpiration":10}}"#);
    let entry = map.find(&"a/b".parse().unwrap()).unwrap().unwrap();
    assert_eq!(entry.token_expiration.unwrap().seconds(), 600);
}

#[test]
fn a_bare_role_is_composed_where_the_flag_says_so() {
    let composer = RoleComposer::new("111122223333".parse().unwrap(), None, None);
    let text = r#"{"shop/app":{"RoleARN":"app"}}"#;
    let (map, problems) = RoleMap::read(text, Some(&composer)).unwrap();
    assert!(problems.is_empty());
    assert_eq!(role_of(&map, "shop/app").as_deref(), Some("app"));
}

#[test]
fn a_bad_entry_does_not_select_the_broader_one() {
    let arn = r#"{"RoleARN":"arn:aws:iam::111122223333:role/broad"}"#;
    let (map, problems) = read(&format!(r#"{{"shop/app":{{"RoleARN":"x"}},"*/app":{arn}}}"#));
    assert_eq!(problems.len(), 1);
    assert!(map.find(&"shop/app".parse().unwrap()).unwrap().is_err());
    assert!(map.find(&"dev/app".parse().unwrap()).unwrap().is_ok());
}
