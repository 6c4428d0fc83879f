use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::*;
use crate::issuer::Issuer;

const NOW: i64 = 1_000_000;

fn claims() -> Value {
    json!({
        "iss": "https://oidc.example",
        "sub": "system:serviceaccount:shop:app",
        "aud": ["sts.amazonaws.com"],
        "iat": NOW, "nbf": NOW, "exp": NOW + 600,
    })
}

fn header(issuer: &Issuer) -> Value {
    json!({"alg": "RS256", "kid": issuer.kid()})
}

fn with(mut value: Value, key: &str, to: Value) -> Value {
    value[key] = to;
    value
}

fn issuer() -> Issuer {
    Issuer::generate("https://oidc.example").unwrap()
}

fn read(text: &str) -> Claims {
    Token::parse(text).unwrap_or_else(|error| panic!("{error}: {}", error.detail())).claims
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

#[test]
fn a_malformed_jwt_is_rejected() {
    let issuer = issuer();
    let good = issuer.sign(&header(&issuer), &claims()).unwrap();
    assert_eq!(read(&good).sub, "system:serviceaccount:shop:app");
    let mut bad = vec![
        String::new(),
        "abcd".to_owned(),
        "....".to_owned(),
        format!("{good}.x"),
        format!("{good}\n"),
        format!("{good}="),
        good.replacen('.', "", 1),
        issuer.sign(&json!([]), &claims()).unwrap(),
        issuer.sign(&with(header(&issuer), "crit", json!(["b64"])), &claims()).unwrap(),
    ];
    for (claim, value) in [
        ("iss", Value::Null),
        ("sub", json!(1)),
        ("aud", Value::Null),
        ("aud", json!([1])),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("iat", Value::Null),
    ] {
        let claims = with(claims(), claim, value);
        bad.push(issuer.sign(&header(&issuer), &claims).unwrap());
    }
    for text in bad {
        let error = Token::parse(&text).err();
        assert!(matches!(error, Some(TokenError::NotAJwt(_))), "{error:?}: {text}");
    }
}

#[test]
fn only_rsa_and_ecdsa_signatures_are_accepted() {
    let issuer = issuer();
    for alg in ["none", "None", "HS256", "HS512", "EdDSA", "PS256", "rs256", ""] {
        let header = with(header(&issuer), "alg", json!(alg));
        let token = issuer.sign(&header, &claims()).unwrap();
        let error = Token::parse(&token).err();
        assert_eq!(error, Some(TokenError::Algorithm(alg.to_owned())));
    }
}

#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_rejected() {
    let issuer = issuer();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = with(header(&issuer), "alg", json!("HS256"));
    let signed = format!("{}.{}", part(&header), part(&claims()));
    let public = issuer.jwks().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
    let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    let error = Token::parse(&format!("{signed}.{tag}")).err();
    assert_eq!(error, Some(TokenError::Algorithm("HS256".to_owned())));
}

#[test]
fn the_named_key_must_have_signed_it() {
    let (issuer, other) = (issuer(), issuer());
    let check =
        |token: &str, keys: Option<&JwkSet>| Token::parse(token).unwrap().check_signature(keys);
    let keys = issuer.key_set();
    let good = issuer.sign(&header(&issuer), &claims()).unwrap();
    assert_eq!(check(&good, Some(&keys)), Ok(()));
    // Signed by another key with the same key id.
    let forged = other.sign(&header(&issuer), &claims()).unwrap();
    assert_eq!(check(&forged, Some(&keys)), Err(TokenError::Signature));
    // Other claims with the same signature.
    let (_, signature) = good.rsplit_once('.').unwrap();
    let admin = with(claims(), "sub", json!("system:serviceaccount:shop:admin"));
    let admin = issuer.sign(&header(&issuer), &admin).unwrap();
    let (content, _) = admin.rsplit_once('.').unwrap();
    let swapped = format!("{content}.{signature}");
    assert_eq!(check(&swapped, Some(&keys)), Err(TokenError::Signature));
    // The right key parameters with another key type.
    let jwks = issuer.jwks().to_string().replace("\"RSA\"", "\"EC\"");
    let retyped = JwkSet::read(&jwks).unwrap();
    assert_eq!(check(&good, Some(&retyped)), Err(TokenError::Signature));
    // An algorithm that is not the key's.
    let rs384 = with(header(&issuer), "alg", json!("RS384"));
    let rs384 = issuer.sign(&rs384, &claims()).unwrap();
    assert_eq!(check(&rs384, Some(&keys)), Err(TokenError::Signature));
}

#[test]
fn an_unknown_key_is_rejected() {
    let (issuer, other) = (issuer(), issuer());
    let good = issuer.sign(&header(&issuer), &claims()).unwrap();
    let nameless = issuer.sign(&json!({"alg": "RS256"}), &claims()).unwrap();
    let keys = (issuer.key_set(), other.key_set());
    for (token, keys) in [(&good, Some(&keys.1)), (&good, None), (&nameless, Some(&keys.0))] {
        let error = Token::parse(token).unwrap().check_signature(keys);
        assert!(matches!(error, Err(TokenError::UnknownKey { .. })), "{error:?}");
    }
}

#[test]
fn the_agents_library_verifies_our_tokens() {
    let issuer = issuer();
    let good = issuer.sign(&header(&issuer), &claims()).unwrap();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(issuer.jwks()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(set.find(&issuer.kid()).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&["sts.amazonaws.com"]);
    jsonwebtoken::decode::<Value>(&good, &key, &validation).unwrap();
}

#[test]
fn the_audience_must_be_in_the_providers_client_ids() {
    let audiences =
        |ids: &[&str]| -> Vec<Audience> { ids.iter().map(|id| id.parse().unwrap()).collect() };
    let issuer = issuer();
    let check = |aud: Value, ids: &[&str]| {
        let claims = with(claims(), "aud", aud);
        let token = issuer.sign(&header(&issuer), &claims).unwrap();
        read(&token).check_audience(&audiences(ids))
    };
    let sts = "sts.amazonaws.com";
    assert_eq!(check(json!(sts), &[sts]), Ok(sts.to_owned()));
    assert_eq!(check(json!(["x", sts]), &["y", sts]), Ok(sts.to_owned()));
    for (aud, ids) in [
        (json!("pods.eks.amazonaws.com"), &[sts][..]),
        (json!(["STS.amazonaws.com"]), &[sts]),
        (json!([]), &[sts]),
        (json!(sts), &[]),
    ] {
        let error = check(aud, ids).unwrap_err();
        assert!(matches!(error, TokenError::Audience { .. }), "{error}");
        assert_eq!(error.to_string(), "Incorrect token audience");
    }
}

#[test]
fn a_token_is_valid_from_nbf_to_exp() {
    let issuer = issuer();
    let claims_with = |claim: &str, value: Value| {
        let claims = with(claims(), claim, value);
        read(&issuer.sign(&header(&issuer), &claims).unwrap())
    };
    for (exp, lives) in [(NOW - 1, false), (NOW, false), (NOW + 1, true), (i64::MAX, true)] {
        let checked = claims_with("exp", json!(exp)).check_expiry(now());
        assert_eq!(checked.is_ok(), lives, "exp {exp}");
    }
    for claim in ["iat", "nbf"] {
        for (at, lives) in [(NOW, true), (NOW + 1, false), (i64::MAX, false)] {
            let checked = claims_with(claim, json!(at)).check_not_before(now());
            assert_eq!(checked.is_ok(), lives, "{claim} {at}");
        }
    }
    assert!(claims_with("nbf", Value::Null).check_not_before(now()).is_ok());
}
