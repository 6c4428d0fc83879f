//! An issuer with real keys, and callers and credentials for tests.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaEncoding,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    exchange::Credentials,
    keys::Keys,
    secret::Secret,
    token::{Caller, Rules},
};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";

/// A key pair and the `kid` that it is published with.
pub(crate) struct Signer {
    pub(crate) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(signature::RsaKeyPair),
    Ec(&'static str, EcdsaKeyPair),
}

pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| rsa("rsa"));
pub(crate) static STRANGER: LazyLock<Signer> = LazyLock::new(|| rsa("rsa"));
pub(crate) static EC256: LazyLock<Signer> = LazyLock::new(|| ec("ec256", "P-256"));
pub(crate) static EC384: LazyLock<Signer> = LazyLock::new(|| ec("ec384", "P-384"));
pub(crate) static EC521: LazyLock<Signer> = LazyLock::new(|| ec("ec521", "P-521"));

fn rsa(kid: &'static str) -> Signer {
    let pair = signature::RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pair = Pair::Rsa(pair);
    Signer { kid, pair }
}

fn ec(kid: &'static str, curve: &'static str) -> Signer {
    let algorithm = match curve {
        "P-256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
        "P-384" => &ECDSA_P384_SHA384_FIXED_SIGNING,
        _ => &ECDSA_P521_SHA512_FIXED_SIGNING,
    };
    let pair = Pair::Ec(curve, EcdsaKeyPair::generate(algorithm).unwrap());
    Signer { kid, pair }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    /// The public key as a JWK without an `alg`.
    pub(crate) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let key = jsonwebtoken::DecodingKey::from_rsa_der(pair.public_key().as_ref());
                let jwk = jsonwebtoken::jwk::Jwk::from_decoding_key(&key, None).unwrap();
                let mut jwk = serde_json::to_value(jwk).unwrap();
                jwk["kid"] = self.kid.into();
                jwk["use"] = "sig".into();
                jwk
            }
            Pair::Ec(curve, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "kid": self.kid, "x": base64(x), "y": base64(y)})
            }
        }
    }

    pub(crate) fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ec(_, pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(_, pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    /// A signed token with these claims.
    pub(crate) fn token(&self, algorithm: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": algorithm, "kid": self.kid, "typ": "JWT"}), claims)
    }

    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().unwrap();
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = self.sign(algorithm, signed.as_bytes());
        format!("{signed}.{}", base64(signature))
    }

    /// A signed token with this text as its header and claims.
    pub(crate) fn token_of(&self, header: &[u8], claims: &[u8]) -> String {
        let signed = format!("{}.{}", base64(header), base64(claims));
        let signature = self.sign("", signed.as_bytes());
        format!("{signed}.{}", base64(signature))
    }
}

/// A token whose signature is `sign`'s result.
pub(crate) fn forged(
    header: &Value,
    claims: &Value,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", base64(signature))
}

pub(crate) fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({"keys": keys}).to_string().into_bytes()
}

pub(crate) fn keys(signers: &[&Signer]) -> Keys {
    let published: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    Keys::read(&jwks(&published), None, now()).unwrap()
}

pub(crate) fn now() -> Timestamp {
    at(0)
}

/// [`NOW`] plus this many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

pub(crate) fn rules() -> Rules {
    Rules {
        issuers: vec![ISSUER.to_owned()],
        audiences: vec!["sts.amazonaws.com".parse().unwrap()],
        own_audiences: false,
    }
}

/// The claims of a valid token at [`NOW`].
pub(crate) fn claims() -> Value {
    claims_from(NOW)
}

pub(crate) fn claims_from(now: i64) -> Value {
    json!({
        "iss": ISSUER,
        "aud": ["sts.amazonaws.com"],
        "sub": "system:serviceaccount:shop:app",
        "exp": now + 3600, "iat": now - 10, "nbf": now - 10, "jti": "1",
        "kubernetes.io": {
            "namespace": "shop",
            "node": {"name": "n1", "uid": "node-uid"},
            "pod": {"name": "app-1", "uid": "pod-uid"},
            "serviceaccount": {"name": "app", "uid": "sa-uid"},
        },
    })
}

pub(crate) fn caller() -> Caller {
    Caller {
        service_account: "shop/app".parse().unwrap(),
        service_account_uid: "sa-uid".to_owned(),
        pod_name: "app-1".to_owned(),
        pod_uid: "pod-uid".to_owned(),
        node: Some("n1".to_owned()),
        issuer: ISSUER.to_owned(),
        key_id: Some("rsa".to_owned()),
        audiences: vec!["sts.amazonaws.com".to_owned()],
        listed_audience: true,
        expires: at(3600),
    }
}

pub(crate) fn credentials(expires: Timestamp) -> Credentials {
    Credentials {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret-of-aws".to_owned()),
        session_token: Secret::new("session-of-aws".to_owned()),
        role: ROLE.parse().unwrap(),
        session_name: "shop.app".to_owned(),
        expires,
    }
}
