use jiff::SignedDuration;

use super::*;
use crate::accounts::UserArn;

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const POLICY: &str = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

fn key() -> SessionKey {
    SessionKey::read(KEY).unwrap()
}

fn grant() -> Grant {
    let role = "arn:aws-cn:iam::111122223333:role/team/app".parse().unwrap();
    let mut tags = Tags::default();
    tags.add("Team", "größe/shop").unwrap();
    tags.add("pod", "").unwrap();
    let issued = Timestamp::from_second(1_000_000).unwrap();
    Grant {
        identity: Identity::session(&role, &"me=a,b@c".parse().unwrap()),
        issued,
        expiration: issued + SignedDuration::from_hours(1),
        attributes: SessionAttributes {
            tags,
            transitive: ["team".to_owned()].into(),
            source_identity: Some("jo".to_owned()),
            policy: Some(IdentityPolicy::read(POLICY).unwrap()),
            provider: Some("arn:aws-cn:iam::111122223333:oidc-provider/oidc.example".to_owned()),
        },
    }
}

/// Everything about a session that a later decision can see.
fn seen(session: &Session) -> String {
    let policy = session.grant.attributes.policy.as_ref().map(IdentityPolicy::text);
    format!("{} {} {:?} {policy:?}", session.key_id, session.secret, session.grant)
}

#[test]
fn every_sandbox_with_the_key_knows_the_session() {
    let user = Identity::user(&UserArn::read("arn:aws:iam::111122223333:user/team/jo").unwrap());
    let plain = SessionAttributes::default();
    for grant in [grant(), Grant { identity: user, attributes: plain, ..grant() }] {
        let issued = key().issue(grant).unwrap();
        let opened = key().open(&issued.token).unwrap();
        assert_eq!((seen(&opened), &opened.token), (seen(&issued), &issued.token));
        assert!(SessionKey::random().open(&issued.token).is_none(), "another key");
    }
}

#[test]
fn credentials_have_awss_form_and_are_never_the_same() {
    let (one, other) = (key().issue(grant()).unwrap(), key().issue(grant()).unwrap());
    assert!(one.key_id.starts_with("ASIA") && one.key_id.len() == 20, "{}", one.key_id);
    assert_eq!(one.secret.len(), 40);
    assert_ne!(one.key_id, other.key_id);
    assert_ne!(one.secret, other.secret);
    // What is readable of a token does not have the secret key, nor begins like it.
    assert!(!one.token.contains(&one.secret[..8]));
}

#[test]
fn a_changed_token_is_not_opened() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let token = key().issue(grant()).unwrap().token;
    let bytes = STANDARD.decode(&token).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert!(key().open(&STANDARD.encode(&changed)).is_none(), "byte {place}");
    }
    for length in [0, 1, 32, 33, bytes.len() - 1] {
        assert!(key().open(&STANDARD.encode(&bytes[..length])).is_none(), "{length} bytes");
    }
    for text in ["", "token", &format!("{token}="), &format!(" {token}"), &token[1..]] {
        assert!(key().open(text).is_none(), "{text}");
    }
}

/// A change of the format must come with another version: sandboxes of two versions may share a key.
#[test]
fn the_format_is_pinned() {
    let bytes = |text: &str| payload::read(text.as_bytes());
    let minimal = r#"{"n":"AA","o":"arn:aws:iam::111122223333:role/app","s":"me","i":1,"e":2}"#;
    let whole = r#"{"n":"AA","o":"arn:aws:iam::111122223333:role/app","s":"me","i":1,"e":2,"t":{"Team":"shop"},"r":["team"],"u":"jo","p":"{\"Statement\":[]}","f":"arn:aws:iam::111122223333:oidc-provider/a"}"#;
    for text in [minimal, whole] {
        let written = payload::write(&bytes(text).unwrap(), &[0]);
        assert_eq!(String::from_utf8(written).unwrap(), text);
    }
    for (from, to) in [
        (r#""n""#, r#""x":1,"n""#),
        ("role/app", "user/app"),
        (r#""s":"me""#, r#""s":"a b""#),
        (":1,", ":\"1\","),
        ("Team", "aws:x"),
        ("Statement", "Statements"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert!(changed != whole && bytes(&changed).is_none(), "{to}");
    }
}

#[test]
fn a_key_has_32_bytes_and_its_text_is_not_repeated() {
    for (text, good) in [
        (KEY, true),
        (&*format!("{KEY}\n"), true),
        (&SessionKey::generate().unwrap(), true),
        ("", false),
        ("c2VjcmV0", false),
        ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MA==", false),
        ("a secret that is long enough but is not base64!!", false),
    ] {
        let read = SessionKey::read(text);
        assert_eq!(read.is_ok(), good, "{text}");
        if let Err(error) = read {
            assert!(!error.to_string().contains(text) || text.is_empty(), "{error}");
        }
    }
    assert_ne!(SessionKey::generate().unwrap(), SessionKey::generate().unwrap());
}

#[test]
fn a_key_file_is_made_once_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let token = SessionKey::from_file(&file).unwrap().issue(grant()).unwrap().token;
    assert!(SessionKey::from_file(&file).unwrap().open(&token).is_some());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&file, "no key").unwrap();
    assert!(matches!(SessionKey::from_file(&file), Err(SessionKeyError::Format)));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no key", "it is not replaced");
    let nowhere = SessionKey::from_file(&folder.path().join("none/key"));
    assert!(matches!(nowhere, Err(SessionKeyError::Io(_))));
}

#[test]
fn neither_sessions_nor_keys_print_their_secrets() {
    let session = key().issue(grant()).unwrap();
    let text = format!("{session:?} {:?}", key());
    assert!(text.contains(&session.key_id), "{text}");
    assert!(!text.contains(&session.secret) && !text.contains(&session.token), "{text}");
    assert!(!text.contains(KEY), "{text}");
}
