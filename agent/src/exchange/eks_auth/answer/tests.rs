use super::*;
use crate::{bearer_token::tests::bearer, exchange::ErrorKind, tests::fixture::caller};
use serde_json::{Value, json};

fn good() -> Value {
    json!({
        "subject": {"namespace": "shop", "serviceAccount": "app", "new": 1},
        "audience": "sts.amazonaws.com",
        "podIdentityAssociation": {"associationArn": "arn", "associationId": "a-1"},
        "assumedRoleUser": {
            "arn": "arn:aws:sts::111122223333:assumed-role/app/eks-shop-app-1",
            "assumeRoleId": "AROA:eks-shop-app-1",
        },
        "credentials": {
            "accessKeyId": "ASIA1", "secretAccessKey": "s", "sessionToken": "t",
            "expiration": 1_800_003_600.25,
        },
    })
}

fn read_body(status: u16, body: &[u8]) -> Result<Credentials, ExchangeError> {
    let answer = RawResponse {
        status,
        error_type: None,
        date: None,
        content_type: None,
        body: body.to_vec(),
    };
    read(&answer, &caller(), &bearer("a.b.c"))
}

#[test]
fn a_good_response_is_read_and_unknown_members_are_ignored() {
    let read = read_body(200, good().to_string().as_bytes()).unwrap();
    assert_eq!(read.role.as_str(), "arn:aws:iam::111122223333:role/app");
    assert_eq!(
        (read.access_key_id.as_str(), read.session_name.as_str()),
        ("ASIA1", "eks-shop-app-1")
    );
    assert_eq!(read.expires.as_second(), 1_800_003_600);
}

#[test]
fn credentials_for_another_service_account_are_discarded() {
    for (member, value) in [
        ("subject", json!({"namespace": "shop", "serviceAccount": "other"})),
        ("subject", json!({"namespace": "other", "serviceAccount": "app"})),
        ("audience", json!("vault")),
    ] {
        let mut answer = good();
        answer[member] = value;
        let error = read_body(200, answer.to_string().as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Transient, "WrongSubject"));
    }
}

#[test]
fn a_truncated_or_incomplete_response_is_an_error() {
    let whole = good().to_string();
    for end in 0..whole.len() {
        let error = read_body(200, &whole.as_bytes()[..end]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{end}");
    }
    for member in ["subject", "audience", "assumedRoleUser", "credentials"] {
        let mut answer = good();
        answer.as_object_mut().unwrap().remove(member);
        let error = read_body(200, answer.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code, "UnreadableAnswer", "{member}");
    }
    for member in ["accessKeyId", "secretAccessKey", "sessionToken"] {
        let mut answer = good();
        answer["credentials"][member] = "".into();
        assert!(read_body(200, answer.to_string().as_bytes()).is_err(), "{member}");
    }
    for arn in ["", "arn:aws:iam::111122223333:role/app", "arn:aws:sts::1:assumed-role/a/b"] {
        let mut answer = good();
        answer["assumedRoleUser"]["arn"] = arn.into();
        assert!(read_body(200, answer.to_string().as_bytes()).is_err(), "{arn}");
    }
    for expiration in [json!(1e300), json!(-1e300), json!("soon"), json!(null)] {
        let mut answer = good();
        answer["credentials"]["expiration"] = expiration.clone();
        assert!(read_body(200, answer.to_string().as_bytes()).is_err(), "{expiration}");
    }
}

#[test]
fn error_codes_are_read_from_the_body_and_the_header() {
    let body = br#"{"message":"no a.b.c here","code":"x"}"#.to_vec();
    let header = Some("com.amazonaws#ResourceNotFoundException:http://x/".to_owned());
    let answer =
        RawResponse { status: 404, error_type: header, date: None, content_type: None, body };
    let error = read(&answer, &caller(), &bearer("a.b.c")).unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::NoAssociation, "ResourceNotFoundException")
    );
    assert_eq!(error.message, "no <token> here");
    for (status, body, error) in [
        (400, r#"{"__type":"AccessDeniedException","message":"no"}"#, ErrorKind::Role),
        (400, r#"{"__type":"ExpiredTokenException"}"#, ErrorKind::Token),
        (403, r#"{"__type":"InvalidClientTokenId"}"#, ErrorKind::Agent),
        (400, "<html>", ErrorKind::Transient),
        (500, "", ErrorKind::Transient),
        (301, "", ErrorKind::Transient),
    ] {
        assert_eq!(read_body(status, body.as_bytes()).unwrap_err().kind, error, "{body}");
    }
}
