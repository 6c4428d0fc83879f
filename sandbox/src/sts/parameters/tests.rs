use http::{HeaderMap, Uri};

use super::*;
use crate::sts::web_identity::WebIdentityRequest;

fn parameters(query: &str, body: &str) -> Result<Parameters, ParameterError> {
    let uri: Uri = format!("/?{query}").parse().unwrap();
    Parameters::read(&Call {
        method: "POST",
        uri: &uri,
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
    })
}

fn error(name: &str, value: Option<&str>) -> Option<StsError> {
    let mut pairs = vec![
        ("RoleArn", "arn:aws:iam::111122223333:role/app"),
        ("RoleSessionName", "me"),
        ("WebIdentityToken", "a.b.c"),
    ];
    pairs.retain(|(one, _)| *one != name);
    pairs.extend(value.map(|value| (name, value)));
    let body = serde_urlencoded::to_string(pairs).unwrap();
    let parameters = parameters("", &body).unwrap();
    WebIdentityRequest::read(&parameters).err()
}

#[test]
fn parameters_are_read_from_query_and_body() {
    let both = parameters("Action=A&x=%26", "y=1+2").unwrap();
    assert_eq!(both.get("Action"), Some("A"));
    assert_eq!((both.get("x"), both.get("y")), (Some("&"), Some("1 2")));
    assert_eq!(both.get("z"), None);
    for (query, body) in [("x=1", "x=2"), ("x=1&x=1", ""), ("", "x=1&x=2")] {
        let error = parameters(query, body).err();
        assert_eq!(error, Some(ParameterError::Twice));
    }
}

#[test]
fn required_parameters_are_required() {
    for (name, called) in [
        ("RoleArn", "roleArn"),
        ("RoleSessionName", "roleSessionName"),
        ("WebIdentityToken", "webIdentityToken"),
    ] {
        let error = error(name, None);
        assert!(
            matches!(error, Some(StsError::Parameter(ParameterError::Missing(one))) if one == called)
        );
    }
}

#[test]
fn each_parameter_is_checked_against_its_limits() {
    let long = |length: usize| "a".repeat(length);
    for (name, value, fine) in [
        ("RoleArn", "arn:aws:iam::111122223333:role/app".to_owned(), true),
        ("RoleArn", "arn:aws:iam::1".to_owned(), false),
        ("RoleArn", "arn:aws:iam::111122223333:user/app".to_owned(), false),
        ("RoleArn", long(2049), false),
        ("RoleSessionName", "a".to_owned(), false),
        ("RoleSessionName", "a_+=,.@-1".to_owned(), true),
        ("RoleSessionName", "a b".to_owned(), false),
        ("RoleSessionName", "a/b".to_owned(), false),
        ("RoleSessionName", long(64), true),
        ("RoleSessionName", long(65), false),
        ("WebIdentityToken", long(3), false),
        ("WebIdentityToken", long(4), true),
        ("WebIdentityToken", long(20_000), true),
        ("WebIdentityToken", long(20_001), false),
        ("DurationSeconds", "900".to_owned(), true),
        ("DurationSeconds", "899".to_owned(), false),
        ("DurationSeconds", "43200".to_owned(), true),
        ("DurationSeconds", "43201".to_owned(), false),
        ("DurationSeconds", "-900".to_owned(), false),
        ("DurationSeconds", "1h".to_owned(), false),
        ("DurationSeconds", String::new(), false),
        ("Policy", r#"{"Statement": []}"#.to_owned(), true),
        ("Policy", r#"{"Version": "2012-10-17"}"#.to_owned(), false),
        ("Policy", "{".to_owned(), false),
        ("Policy", format!(r#"{{"Statement": "{}"}}"#, long(2048)), false),
    ] {
        assert_eq!(error(name, Some(&value)).is_none(), fine, "{name} {value}");
    }
}

#[test]
fn an_error_does_not_repeat_the_value() {
    let error = error("WebIdentityToken", Some("abc")).unwrap().to_string();
    assert!(!error.contains("abc"), "{error}");
}
