//! Mints tokens like those of an API server, with a generated key.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) struct Tokens {
    pair: EcdsaKeyPair,
    pub(crate) issuer: String,
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Tokens {
    pub(crate) fn of(issuer: String) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pair = pair.map_err(|_| anyhow::anyhow!("could not generate a key"))?;
        Ok(Self { pair, issuer })
    }

    pub(crate) fn jwks(&self) -> Value {
        let point = &self.pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "kid": "bench", "use": "sig", "x": base64(x), "y": base64(y),
        }]})
    }

    /// Mints a token of a pod of the ServiceAccount `bench/<service_account>`. Each `number` gives
    /// a distinct token.
    pub(crate) fn token(
        &self,
        audience: &str,
        service_account: &str,
        pod: &str,
        number: usize,
    ) -> anyhow::Result<String> {
        let now = podrole_runtime::clock::now().as_second();
        let header = json!({"alg": "ES256", "kid": "bench", "typ": "JWT"});
        let claims = json!({
            "iss": self.issuer, "aud": [audience], "jti": format!("{pod} {number}"),
            "sub": format!("system:serviceaccount:bench:{service_account}"),
            "iat": now - 10, "nbf": now - 10, "exp": now + 86_400,
            "kubernetes.io": {
                "namespace": "bench",
                "node": {"name": "bench", "uid": "node"},
                "pod": {"name": pod, "uid": pod},
                "serviceaccount": {"name": service_account, "uid": service_account},
            },
        });
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| anyhow::anyhow!("could not sign a token"))?;
        Ok(format!("{signed}.{}", base64(signature.as_ref())))
    }
}
