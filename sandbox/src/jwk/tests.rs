use super::*;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
    },
};
use serde_json::json;

fn ec(signing: &'static EcdsaSigningAlgorithm, curve: &str) -> (EcdsaKeyPair, Jwk) {
    let pair = EcdsaKeyPair::generate(signing).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let jwk = json!({"kty": "EC", "kid": "a", "crv": curve, "x": x, "y": y});
    (pair, serde_json::from_value(jwk).unwrap())
}

#[test]
fn each_curve_only_verifies_its_own_algorithm() {
    for (signing, curve, own) in [
        (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", Algorithm::Es256),
        (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", Algorithm::Es384),
        (&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521", Algorithm::Es512),
    ] {
        let (pair, jwk) = ec(signing, curve);
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        for one in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
            let verified = jwk.verifies(one, b"message", signature.as_ref());
            assert_eq!(verified, one == own, "{curve} {one:?}");
        }
        assert!(!jwk.verifies(own, b"another", signature.as_ref()));
    }
}

#[test]
fn a_key_only_verifies_its_own_algorithm_and_use() {
    let (pair, jwk) = ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256");
    let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
    let with = |change: fn(&mut Jwk)| {
        let mut jwk = jwk.clone();
        change(&mut jwk);
        jwk.verifies(Algorithm::Es256, b"message", signature.as_ref())
    };
    assert!(with(|_| {}));
    assert!(with(|jwk| jwk.alg = Some("ES256".to_owned())));
    assert!(with(|jwk| jwk.usage = Some("sig".to_owned())));
    assert!(!with(|jwk| jwk.alg = Some("ES384".to_owned())));
    assert!(!with(|jwk| jwk.usage = Some("enc".to_owned())));
    assert!(!with(|jwk| jwk.kty = "RSA".to_owned()));
    assert!(!with(|jwk| jwk.crv = Some("P-384".to_owned())));
    assert!(!with(|jwk| jwk.x = Some("AAAA".to_owned())));
}

#[test]
fn foreign_keys_may_be_in_a_set() {
    let set = r#"{"keys": [{"kty": "oct", "kid": "h", "k": "AAAA"}, {"kty": "OKP", "kid": "e"}]}"#;
    let set = JwkSet::read(set).unwrap();
    for kid in ["h", "e"] {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
            assert!(!set.find(kid).unwrap().verifies(algorithm, b"", b""), "{kid}");
        }
    }
    assert!(set.find("other").is_none());
    assert!(JwkSet::read("[]").is_err());
}

#[test]
fn only_six_algorithms_have_a_name() {
    for name in ["none", "None", "HS256", "EdDSA", "PS256", "rs256", ""] {
        assert_eq!(Algorithm::named(name), None, "{name}");
    }
}
