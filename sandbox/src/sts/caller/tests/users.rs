//! Keys of users, and credentials of deleted roles.

use super::{super::*, BODY, URL, headers, now, session};
use crate::{config::Config, signature::authorization::SignaturePlacement, sts::fixture};

/// The caller of a call that is signed with that key.
fn ask(
    accounts: &Accounts,
    key: impl Into<CallerKey>,
    service: &str,
) -> Result<Caller, SignatureError> {
    let request = ("POST", URL, BODY.as_bytes());
    let scope = (now(), "eu-west-1", service);
    let headers = headers(sigv4::sign_as_client(key, request, scope, SignaturePlacement::Headers));
    let uri = "/".parse().unwrap();
    let call = Call { method: "POST", uri: &uri, headers: &headers, body: BODY.as_bytes() };
    authenticate(accounts, super::key(), &call, "sts", now())
}

fn key(secret: &str, token: Option<&str>) -> CallerKey {
    CallerKey {
        id: fixture::NODE.to_owned(),
        secret: secret.to_owned(),
        token: token.map(str::to_owned),
        expiration: None,
        arn: String::new(),
    }
}

#[test]
fn a_user_signs_with_its_own_key() {
    let Config { accounts, .. } = fixture::Fixture::new().config;
    let caller = ask(&accounts, key("node-secret", None), "sts").unwrap();
    assert_eq!(caller.identity().unwrap().arn, "arn:aws:iam::111122223333:user/team/node");
    assert_eq!((caller.region.as_str(), caller.is_temporary()), ("eu-west-1", false));
    for (name, key, service, error) in [
        ("another secret", key("other", None), "sts", SignatureError::Mismatch),
        (
            "a session token with a long-term key",
            key("node-secret", Some("x")),
            "sts",
            SignatureError::SessionToken,
        ),
        ("another service", key("node-secret", None), "iam", SignatureError::Service),
    ] {
        assert_eq!(ask(&accounts, key, service).err(), Some(error), "{name}");
    }
}

#[test]
fn sessions_of_a_deleted_role_are_invalid() {
    let mut accounts = super::accounts();
    assert!(ask(&accounts, &session(), "sts").is_ok());
    accounts.remove_role("111122223333", "app");
    let error = ask(&accounts, &session(), "sts").err();
    assert_eq!(error, Some(SignatureError::UnknownKey));
}
