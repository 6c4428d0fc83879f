use super::*;
use crate::bearer_token::tests::bearer;
use crate::tests::fixture::{
    EC256, EC384, EC521, ISSUER, RSA, STRANGER, Signer, at, caller, claims, forged, jwks, keys,
    now, rules,
};
use serde_json::{Value, json};

fn check(claims: &Value) -> Result<Caller, TokenError> {
    verify(&bearer(&RSA.token("RS256", claims)), &keys(&[&RSA]), &rules(), now())
}

/// The claims of a good token with one place changed; `null` takes it away.
fn with(pointer: &str, value: Value) -> Value {
    let mut claims = claims();
    let place = claims.pointer_mut(pointer).unwrap();
    *place = value;
    claims
}

#[test]
fn a_valid_token_identifies_its_pod() {
    assert_eq!(check(&claims()), Ok(caller()));
    assert_eq!(check(&with("/aud", "sts.amazonaws.com".into())), Ok(caller()));
}

/// The caller of a token that names this key.
fn caller_of(key_id: Option<&str>) -> Caller {
    Caller { key_id: key_id.map(str::to_owned), ..caller() }
}

#[test]
fn each_algorithm_is_accepted_with_its_own_key() {
    let signers: [(&Signer, &str, &[&str]); 4] = [
        (&RSA, "rsa", &["RS256", "RS384", "RS512"]),
        (&EC256, "ec256", &["ES256"]),
        (&EC384, "ec384", &["ES384"]),
        (&EC521, "ec521", &["ES512"]),
    ];
    let keys = keys(&[&RSA, &EC256, &EC384, &EC521]);
    for (signer, key_id, algorithms) in signers {
        for algorithm in algorithms {
            let token = signer.token(algorithm, &claims());
            assert_eq!(
                verify(&bearer(&token), &keys, &rules(), now()),
                Ok(caller_of(Some(key_id))),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn other_algorithms_are_refused() {
    let keys = keys(&[&RSA, &EC256, &EC384]);
    let verify = |token: &str| verify(&bearer(token), &keys, &rules(), now());
    assert_eq!(verify(&RSA.token("PS256", &claims())), Err(TokenError::Algorithm));
    for algorithm in ["none", "None", "EdDSA", "", "HS256", "HS512"] {
        let header = json!({"alg": algorithm, "kid": "rsa"});
        let unsigned = forged(&header, &claims(), |_| Vec::new());
        assert_eq!(verify(&unsigned), Err(TokenError::Algorithm), "{algorithm}");
    }
    // The public key as an HMAC secret, which a careless library accepts.
    let header = json!({"alg": "HS256", "kid": "rsa"});
    let token = forged(&header, &claims(), |signed| {
        let key = jsonwebtoken::EncodingKey::from_secret(&RSA.public_der());
        let signature = jsonwebtoken::crypto::sign(signed, &key, jsonwebtoken::Algorithm::HS256);
        URL_SAFE_NO_PAD.decode(signature.unwrap()).unwrap()
    });
    assert_eq!(verify(&token), Err(TokenError::Algorithm));
    // An algorithm of another kind of key, and of another curve.
    let header = json!({"alg": "RS256", "kid": "ec256"});
    assert_eq!(verify(&EC256.token_with(&header, &claims())), Err(TokenError::Algorithm));
    let header = json!({"alg": "ES384", "kid": "ec256"});
    assert_eq!(verify(&EC256.token_with(&header, &claims())), Err(TokenError::Algorithm));
}

#[test]
fn a_key_that_names_its_algorithm_verifies_no_other() {
    let mut jwk = RSA.jwk();
    jwk["alg"] = "RS512".into();
    let keys = Keys::read(&jwks(&[jwk]), None, now()).unwrap();
    let verify =
        |algorithm| verify(&bearer(&RSA.token(algorithm, &claims())), &keys, &rules(), now());
    assert_eq!(verify("RS512"), Ok(caller()));
    assert_eq!(verify("RS256"), Err(TokenError::Algorithm));
}

#[test]
fn keys_of_unsupported_kinds_are_left_out() {
    let encryption = with_alg(RSA.jwk(), "use", "enc");
    let pss = with_alg(RSA.jwk(), "alg", "PS256");
    let secret = json!({"kty": "oct", "kid": "rsa", "k": "c2VjcmV0", "alg": "HS256"});
    let odd = json!({"kty": "EC", "kid": 7});
    let unknown = json!({"kty": "AKP", "kid": "x"});
    let all = [encryption, pss, secret, odd, unknown, json!("key")];
    for key in &all {
        assert!(Keys::read(&jwks(std::slice::from_ref(key)), None, now()).is_err(), "{key}");
    }
    let mut set = all.to_vec();
    set.push(EC521.jwk());
    set.push(with_alg(EC521.jwk(), "alg", "ES512"));
    let keys = Keys::read(&jwks(&set), None, now()).unwrap();
    let token = EC521.token("ES512", &claims());
    assert_eq!(verify(&bearer(&token), &keys, &rules(), now()), Ok(caller_of(Some("ec521"))));
    for text in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
        assert!(Keys::read(text.as_bytes(), None, now()).is_err(), "{text}");
    }
}

fn with_alg(mut jwk: Value, name: &str, value: &str) -> Value {
    jwk[name] = value.into();
    jwk
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let token = STRANGER.token("RS256", &claims());
    let mine = keys(&[&RSA]);
    assert_eq!(verify(&bearer(&token), &mine, &rules(), now()), Err(TokenError::Signature));
    let good = RSA.token("RS256", &claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.");
    assert_eq!(verify(&bearer(&unsigned), &mine, &rules(), now()), Err(TokenError::Signature));
    // The right signature under other claims.
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other = RSA.token("RS256", &with("/sub", "system:serviceaccount:shop:admin".into()));
    let (other, _) = other.rsplit_once('.').unwrap();
    let mixed = format!("{other}.{signature}");
    assert_eq!(verify(&bearer(&mixed), &mine, &rules(), now()), Err(TokenError::Signature));
}

#[test]
fn an_unknown_key_and_a_foreign_issuer_are_different_errors() {
    let foreign_issuer = TokenError::Issuer { issued: Some(at(-10)) };
    let token = EC256.token("ES256", &claims());
    let unknown = TokenError::UnknownKey { issued: Some(at(-10)) };
    assert_eq!(verify(&bearer(&token), &keys(&[&RSA]), &rules(), now()), Err(unknown));
    // With a foreign issuer the key does not matter.
    let foreign = EC256.token("ES256", &with("/iss", "https://other.example".into()));
    assert_eq!(verify(&bearer(&foreign), &keys(&[&RSA]), &rules(), now()), Err(foreign_issuer));
    let nameless = RSA.token_with(&json!({"alg": "RS256"}), &claims());
    let verified = verify(&bearer(&nameless), &keys(&[&EC256, &RSA]), &rules(), now());
    assert_eq!(verified, Ok(caller_of(None)));
}

#[test]
fn a_key_of_one_issuer_does_not_verify_anothers_tokens() {
    let other = Some("https://other.example");
    let keys = Keys::read(&jwks(&[RSA.jwk()]), other, now()).unwrap();
    let mut rules = rules();
    rules.issuers.push("https://other.example".to_owned());
    let token = RSA.token("RS256", &claims());
    let refused = TokenError::Issuer { issued: Some(at(-10)) };
    assert_eq!(verify(&bearer(&token), &keys, &rules, now()), Err(refused));
    let token = RSA.token("RS256", &with("/iss", "https://other.example".into()));
    assert!(verify(&bearer(&token), &keys, &rules, now()).is_ok());
}

#[test]
fn the_issuer_must_be_in_the_rules() {
    for issuer in ["https://issuer.example/", "https://other.example", ""] {
        let refused = Err(TokenError::Issuer { issued: Some(at(-10)) });
        assert_eq!(check(&with("/iss", issuer.into())), refused, "{issuer}");
    }
}

#[test]
fn an_issuer_that_the_key_set_names_is_accepted_too() {
    let mut rules = rules();
    rules.issuers.clear();
    let token = RSA.token("RS256", &claims());
    let refused = TokenError::Issuer { issued: Some(at(-10)) };
    let other = keys(&[&RSA]).naming("https://other.example".to_owned());
    assert_eq!(verify(&bearer(&token), &other, &rules, now()), Err(refused.clone()));
    assert_eq!(verify(&bearer(&token), &keys(&[&RSA]), &rules, now()), Err(refused));
    let named = keys(&[&RSA]).naming(ISSUER.to_owned());
    assert_eq!(verify(&bearer(&token), &named, &rules, now()), Ok(caller()));
}

#[test]
fn one_audience_must_be_in_the_rules() {
    let wanted = || "sts.amazonaws.com".to_owned();
    for audience in [json!("vault"), json!(["a", "b"]), json!(""), json!("sts.amazonaws.com.")] {
        let claims = with("/aud", audience);
        assert_eq!(check(&claims), Err(TokenError::Audience { wanted: wanted() }));
    }
    assert_eq!(check(&with("/aud", json!([]))), Err(TokenError::Missing("aud")));
    let several = check(&with("/aud", json!(["z", "sts.amazonaws.com", "a", "z"]))).unwrap();
    assert_eq!(several.audiences, ["a", "sts.amazonaws.com", "z"]);
    let mut rules = rules();
    rules.own_audiences = true;
    let token = RSA.token("RS256", &with("/aud", "vault".into()));
    let left = verify(&bearer(&token), &keys(&[&RSA]), &rules, now()).unwrap();
    assert!(!left.listed_audience);
}

#[test]
fn an_end_has_60_seconds_of_skew_and_a_beginning_a_day() {
    let times = |exp: i64, nbf: i64| {
        let mut claims = with("/exp", (now().as_second() + exp).into());
        claims["nbf"] = (now().as_second() + nbf).into();
        check(&claims).map(drop)
    };
    assert_eq!(times(-59, -100), Ok(()));
    assert_eq!(times(-60, -100), Err(TokenError::Expired));
    const DAY: i64 = 86_400;
    assert_eq!(times(2 * DAY, DAY), Ok(()), "this node's clock is behind");
    assert_eq!(times(2 * DAY, DAY + 1), Err(TokenError::NotYet));
    assert_eq!(check(&with("/exp", i64::MAX.into())), Err(TokenError::Malformed));
    assert_eq!(check(&with("/exp", "soon".into())), Err(TokenError::Malformed));
    assert!(check(&with("/nbf", Value::Null)).is_ok());
}

#[test]
fn a_missing_claim_is_named() {
    for (pointer, error) in [
        ("/exp", TokenError::Missing("exp")),
        ("/iss", TokenError::Missing("iss")),
        ("/aud", TokenError::Missing("aud")),
        ("/sub", TokenError::Missing("sub")),
        ("/kubernetes.io", TokenError::Missing("kubernetes.io")),
        ("/kubernetes.io/pod", TokenError::NoPod),
        ("/kubernetes.io/namespace", TokenError::Subject),
        ("/kubernetes.io/serviceaccount", TokenError::Missing("kubernetes.io/serviceaccount")),
        ("/kubernetes.io/pod/uid", TokenError::Malformed),
        ("/kubernetes.io/serviceaccount/uid", TokenError::Malformed),
    ] {
        assert_eq!(check(&with(pointer, Value::Null)), Err(error), "{pointer}");
    }
    for (pointer, error) in [
        ("/kubernetes.io/pod/uid", TokenError::NoPod),
        ("/kubernetes.io/pod/name", TokenError::NoPod),
        (
            "/kubernetes.io/serviceaccount/uid",
            TokenError::Missing("kubernetes.io/serviceaccount/uid"),
        ),
    ] {
        assert_eq!(check(&with(pointer, "".into())), Err(error), "{pointer}");
    }
    assert_eq!(check(&with("/kubernetes.io/pod/name", "a/../b".into())), Err(TokenError::NoPod));
}

#[test]
fn the_subject_must_be_the_service_account() {
    for (pointer, value) in [
        ("/sub", "system:node:n1"),
        ("/sub", "system:serviceaccount:shop:other"),
        ("/sub", "system:serviceaccount:other:app"),
        ("/kubernetes.io/namespace", "other"),
        ("/kubernetes.io/serviceaccount/name", "other"),
    ] {
        assert_eq!(check(&with(pointer, value.into())), Err(TokenError::Subject), "{value}");
    }
}

#[test]
fn tokens_from_secrets_are_refused() {
    let claims = json!({
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:shop:app",
        "kubernetes.io/serviceaccount/namespace": "shop",
    });
    assert_eq!(check(&claims), Err(TokenError::Legacy));
}

#[test]
fn malformed_tokens_are_refused() {
    let verify = |token: &str| verify(&bearer(token), &keys(&[&RSA]), &rules(), now());
    let good = RSA.token("RS256", &claims());
    let critical = json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"]});
    let critical = RSA.token_with(&critical, &claims());
    for token in [".", "..", "a.b.c", "e30.e30.", &format!("{good}.x"), &critical] {
        assert_eq!(verify(token), Err(TokenError::Malformed), "{token}");
    }
}
