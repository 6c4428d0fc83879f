mod users;

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, Uri};
use jiff::SignedDuration;

use super::*;
use crate::{
    accounts::Role, policy::Policy, random::sha256_hex, sessions::Session,
    signature::authorization::SignaturePlacement,
};

const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const URL: &str = "http://sts.test:4566/";

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

/// The same in all tests of a process.
fn key() -> &'static SessionKey {
    static KEY: LazyLock<SessionKey> = LazyLock::new(SessionKey::random);
    &KEY
}

fn session() -> Session {
    static SESSION: LazyLock<Session> = LazyLock::new(|| {
        let role = "arn:aws:iam::111122223333:role/app".parse().unwrap();
        let grant = Grant {
            issued: now(),
            expiration: now() + SignedDuration::from_hours(1),
            identity: Identity::session(&role, &"me".parse().unwrap()),
            attributes: SessionAttributes::default(),
        };
        key().issue(grant).unwrap()
    });
    SESSION.clone()
}

fn accounts() -> Accounts {
    let everyone = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}}"#;
    let role = "arn:aws:iam::111122223333:role/app".parse().unwrap();
    let mut accounts = Accounts::default();
    accounts.put_role(Role::new(role, Policy::read(everyone).unwrap())).unwrap();
    accounts
}

/// A signed request. Tests change it before it is sent.
struct Sent {
    method: &'static str,
    uri: String,
    headers: HeaderMap,
    body: String,
}

fn headers(pairs: Vec<(String, String)>) -> HeaderMap {
    let pairs = pairs.into_iter().chain([("host".to_owned(), "sts.test:4566".to_owned())]);
    let pairs = pairs.map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    pairs.collect()
}

fn signed_at(at: Timestamp, service: &str) -> Sent {
    let request = ("POST", URL, BODY.as_bytes());
    let scope = (at, "eu-west-1", service);
    Sent {
        method: "POST",
        uri: "/".to_owned(),
        headers: headers(sigv4::sign_as_client(
            &session(),
            request,
            scope,
            SignaturePlacement::Headers,
        )),
        body: BODY.to_owned(),
    }
}

fn signed() -> Sent {
    signed_at(now(), "sts")
}

fn presigned(expires: u32) -> Sent {
    let url = format!("{URL}?{BODY}&x=a%20b");
    let scope = (now(), "eu-west-1", "sts");
    let place = SignaturePlacement::Query { expires };
    let query = sigv4::sign_as_client(&session(), ("GET", &url, b""), scope, place);
    let query = serde_urlencoded::to_string(query).unwrap();
    Sent {
        method: "GET",
        uri: format!("/?{BODY}&x=a%20b&{query}"),
        headers: headers(Vec::new()),
        body: String::new(),
    }
}

fn ask_at(sent: &Sent, now: Timestamp) -> Result<Identity, SignatureError> {
    let uri: Uri = sent.uri.parse().unwrap();
    let call =
        Call { method: sent.method, uri: &uri, headers: &sent.headers, body: sent.body.as_bytes() };
    let caller = authenticate(&accounts(), key(), &call, "sts", now)?;
    Ok(caller.identity().unwrap().clone())
}

fn ask(sent: &Sent) -> Result<Identity, SignatureError> {
    ask_at(sent, now())
}

/// Changes a part of the header Authorization.
fn with_authorization(from: &str, to: &str) -> Sent {
    let mut sent = signed();
    let header = sent.headers["authorization"].to_str().unwrap().to_owned();
    assert!(header.contains(from), "{header}");
    let header = header.replacen(from, to, 1).parse().unwrap();
    sent.headers.insert("authorization", header);
    sent
}

fn with_header(name: &'static str, value: &str) -> Sent {
    let mut sent = signed();
    sent.headers.insert(name, value.parse().unwrap());
    sent
}

fn without_header(name: &str) -> Sent {
    let mut sent = signed();
    assert!(sent.headers.remove(name).is_some());
    sent
}

#[test]
fn the_signer_is_identified() {
    let wanted = "arn:aws:sts::111122223333:assumed-role/app/me";
    assert_eq!(ask(&signed()).unwrap().arn, wanted);
    assert_eq!(ask(&presigned(60)).unwrap().arn, wanted);
    // Proxies may add headers that are not signed.
    assert_eq!(ask(&with_header("via", "proxy")).unwrap().arn, wanted);
    let hash = sha256_hex(BODY.as_bytes());
    assert_eq!(ask(&with_header("x-amz-content-sha256", &hash)).unwrap().arn, wanted);
}

#[test]
fn each_wrong_part_of_a_signature_is_rejected() {
    use SignatureError::{
        Body, Date, ForeignToken, Mismatch, Missing, Service, SessionToken, UnknownKey,
    };
    let other = sha256_hex(b"Action=GetCallerIdentity");
    let changed = |change: fn(&mut Sent)| {
        let mut sent = signed();
        change(&mut sent);
        sent
    };
    for (name, sent, error) in [
        ("unsigned", without_header("authorization"), Missing),
        ("a stranger's key", with_authorization(&session().key_id, "ASIAB"), UnknownKey),
        ("no session token", without_header("x-amz-security-token"), SessionToken),
        ("another session token", with_header("x-amz-security-token", "other"), ForeignToken),
        ("another service", signed_at(now(), "s3"), Service),
        ("another service's name", with_authorization("/sts/", "/s3/"), Service),
        ("another region's name", with_authorization("eu-west-1", "us-east-1"), Mismatch),
        ("another day", with_authorization("19700112", "19700113"), Date),
        ("another signature", with_authorization("Signature=", "Signature=0"), Mismatch),
        ("no signature", with_authorization("Signature=", "Signature=,X="), Mismatch),
        ("a header less", with_authorization(";x-amz-security-token", ""), Mismatch),
        ("a header more", with_authorization("host;", "host;via;"), Mismatch),
        ("another host", with_header("host", "sts.other"), Mismatch),
        ("another time", with_header("x-amz-date", "19700112T134641Z"), Mismatch),
        ("another body", changed(|sent| sent.body.push('&')), Mismatch),
        ("another method", changed(|sent| sent.method = "PUT"), Mismatch),
        ("another query", changed(|sent| sent.uri.push_str("?x=1")), Mismatch),
        ("another path", changed(|sent| sent.uri.push('x')), Mismatch),
        ("another body's hash", with_header("x-amz-content-sha256", &other), Body),
        ("no body's hash", with_header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), Body),
    ] {
        assert_eq!(ask(&sent).err(), Some(error), "{name}");
    }
}

#[test]
fn a_signature_with_a_missing_part_is_incomplete() {
    for (name, sent) in [
        ("scheme", with_authorization("AWS4-HMAC-SHA256 ", "Bearer ")),
        ("algorithm", with_authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512")),
        ("credential", with_authorization("Credential=", "Cred=")),
        ("headers", with_authorization("SignedHeaders=", "Headers=")),
        ("signature", with_authorization("Signature=", "Sig=")),
        ("scope", with_authorization("/aws4_request", "")),
        ("scope's end", with_authorization("/aws4_request", "/aws5_request")),
        ("host", with_authorization("host;", "")),
        ("date", without_header("x-amz-date")),
        ("date's form", with_header("x-amz-date", "Mon, 12 Jan 1970 13:46:40 GMT")),
    ] {
        let error = ask(&sent).unwrap_err();
        assert!(matches!(error, SignatureError::Incomplete(_)), "{name}: {error:?}");
        assert_eq!(error.code(), ("IncompleteSignature", 400));
    }
}

#[test]
fn a_signature_is_valid_for_15_minutes() {
    let at = |seconds: i64| ask_at(&signed(), now() + SignedDuration::from_secs(seconds)).err();
    assert_eq!(at(900), None);
    assert_eq!(at(901), Some(SignatureError::Old));
    assert_eq!(at(-900), None);
    assert_eq!(at(-901), Some(SignatureError::Early));
}

#[test]
fn expired_credentials_have_their_own_error() {
    let end = session().grant.expiration;
    assert_eq!(ask_at(&signed_at(end, "sts"), end).err(), Some(SignatureError::Expired));
    let before = end - SignedDuration::from_secs(1);
    assert_eq!(ask_at(&signed_at(before, "sts"), before).err(), None);
}

#[test]
fn a_presigned_url_expires_when_it_says() {
    let at =
        |seconds: i64| ask_at(&presigned(60), now() + SignedDuration::from_secs(seconds)).err();
    assert_eq!(at(60), None);
    assert_eq!(at(61), Some(SignatureError::Old));
    let with = |from: &str, to: &str| {
        let mut sent = presigned(60);
        assert!(sent.uri.contains(from), "{}", sent.uri);
        sent.uri = sent.uri.replacen(from, to, 1);
        ask(&sent).err()
    };
    assert_eq!(with("X-Amz-Expires=60", "X-Amz-Expires=61"), Some(SignatureError::Mismatch));
    assert_eq!(with("x=a%20b", "x=a"), Some(SignatureError::Mismatch));
    assert_eq!(with("X-Amz-Security-Token=", "X-Amz-Token="), Some(SignatureError::SessionToken));
    assert_eq!(with("X-Amz-Signature=", "X="), Some(SignatureError::Missing));
    for (from, to) in [
        ("X-Amz-Algorithm=AWS4", "X-Amz-Algorithm=AWS5"),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801"),
        ("X-Amz-Date=", "X-Date="),
    ] {
        let error = with(from, to);
        assert!(matches!(error, Some(SignatureError::Incomplete(_))), "{to}: {error:?}");
    }
}

#[test]
fn each_error_has_awss_code() {
    use SignatureError::{Body, Date, Early, Expired, Mismatch, Missing, Old, UnknownKey};
    for (error, code) in [
        (Missing, "MissingAuthenticationToken"),
        (UnknownKey, "InvalidClientTokenId"),
        (SignatureError::SessionToken, "InvalidClientTokenId"),
        (SignatureError::ForeignToken, "InvalidClientTokenId"),
        (Expired, "ExpiredToken"),
        (SignatureError::Service, "SignatureDoesNotMatch"),
        (Date, "SignatureDoesNotMatch"),
        (Old, "SignatureDoesNotMatch"),
        (Early, "SignatureDoesNotMatch"),
        (Body, "SignatureDoesNotMatch"),
        (Mismatch, "SignatureDoesNotMatch"),
    ] {
        assert_eq!(error.code(), (code, 403));
    }
}
