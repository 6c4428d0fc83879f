//! What `fuzz/` runs on any bytes: everything that the agent parses. A broken rule is a panic.
#![allow(clippy::unwrap_used, reason = "a broken rule is a panic")]

use std::sync::LazyLock;

use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::{
    bearer_token::{BearerToken, PresentedToken},
    exchange::{
        Credentials, ExchangeClient as _, ExchangeError, RoleStep, SessionRequest,
        eks_auth::answer, sts::Endpoint, web_identity::WebIdentity,
    },
    http_client::{HttpClients, RawResponse},
    keys::{Keys, KeysFile},
    tests::fixture::{EC256, ISSUER, ROLE, caller, claims, keys, now, rules},
    token::{Caller, SKEW, verify},
};

const POD_TOKEN: &str = "the-pods-token";
const STATUSES: [u16; 8] = [200, 200, 200, 204, 400, 403, 429, 500];

static KEYS: LazyLock<Keys> = LazyLock::new(|| keys(&[&EC256]));
static GOOD_TOKEN: LazyLock<String> = LazyLock::new(|| EC256.token("ES256", &claims()));

/// A token as a pod presents it; or, if it begins with `{`, a header and on the next line claims, both of which the
/// cluster signed.
pub fn token(data: &[u8]) {
    if data.first() == Some(&b'{') {
        let mut lines = data.splitn(2, |byte| *byte == b'\n');
        let (header, claims) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        signed_token(header, claims);
    } else if let Ok(token) = PresentedToken::read(data) {
        assert!(verify(&token.to_bearer(), &KEYS, &rules(), now()).is_err(), "a forged token");
    }
}

fn signed_token(header: &[u8], claims: &[u8]) {
    let token = EC256.token_of(header, claims);
    let Ok(token) = PresentedToken::read(token.as_bytes()) else {
        return;
    };
    if let Ok(caller) = verify(&token.to_bearer(), &KEYS, &rules(), now()) {
        // What the agent does not read may be what no JSON value can hold, as a lone surrogate.
        if let Ok(header) = serde_json::from_slice::<Value>(header) {
            assert_eq!(header["alg"], "ES256");
        }
        if let Ok(claims) = serde_json::from_slice(claims) {
            is_the_named_caller(&caller, &claims);
        }
    }
}

/// Panics unless the claims name this caller.
pub(crate) fn is_the_named_caller(caller: &Caller, claims: &Value) {
    assert_eq!(caller.issuer, ISSUER);
    assert_eq!(json!(caller.service_account.subject()), claims["sub"]);
    assert!(now().duration_since(caller.expires) < SKEW);
    assert!(caller.listed_audience && !caller.pod_uid.is_empty());
    assert_eq!(json!(caller.pod_uid), claims["kubernetes.io"]["pod"]["uid"]);
    assert!(!caller.service_account_uid.is_empty());
}

/// The file with the cluster's keys, and a key set as an issuer publishes it.
pub fn keys_file(data: &[u8]) {
    let good = PresentedToken::read(GOOD_TOKEN.as_bytes()).unwrap().to_bearer();
    let file = KeysFile::at("keys.json".into()).parse(data);
    for keys in [file, Keys::read(data, Some(ISSUER), now()).ok()].into_iter().flatten() {
        let verified = verify(&good, &keys, &rules(), now());
        assert!(verified.is_err(), "the key that signed is not in the file");
    }
}

/// A response of EKS Auth. The first byte chooses the status.
pub fn eks_auth(data: &[u8]) {
    let Some((status, body)) = status(data) else {
        return;
    };
    match eks_auth_answer(status, body.to_vec()) {
        Ok(credentials) => {
            // What a field holds that is not read is not checked either, not even that it is text.
            let Ok(answer) = serde_json::from_slice::<Value>(body) else {
                return;
            };
            assert_eq!(answer["subject"]["namespace"], "shop");
            assert_eq!(answer["subject"]["serviceAccount"], "app");
            assert_eq!(answer["audience"], "sts.amazonaws.com");
            has_all_parts(&credentials);
        }
        Err(error) => assert!(!error.to_string().contains(POD_TOKEN)),
    }
}

pub(crate) fn eks_auth_answer(status: u16, body: Vec<u8>) -> Result<Credentials, ExchangeError> {
    answer::read(
        &RawResponse { status, error_type: None, date: None, content_type: None, body },
        &caller(),
        &pod_token(),
    )
}

/// A response of STS. The first byte chooses the status.
pub fn sts(data: &[u8]) {
    let Some((status, body)) = status(data) else {
        return;
    };
    match sts_answer(status, body) {
        Ok(credentials) => {
            assert_eq!(credentials.role.as_str(), ROLE);
            has_all_parts(&credentials);
        }
        Err(error) => assert!(!error.to_string().contains(POD_TOKEN)),
    }
}

/// What the exchange makes of a response.
pub(crate) fn sts_answer(status: u16, body: &[u8]) -> Result<Credentials, ExchangeError> {
    // With a paused clock the SDK's pauses between attempts take no time.
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let connector = SharedHttpConnector::new(Canned(status, body.to_vec()));
    let client: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
    let endpoint = Endpoint { region: "eu-central-1".to_owned(), ..Endpoint::default() };
    let role = ROLE.parse().unwrap();
    let session = SessionRequest {
        session_name: "shop.app".parse().unwrap(),
        steps: vec![RoleStep { role, external_id: None, policy: None, duration_seconds: None }],
        tags: Vec::new(),
    };
    runtime.block_on(async {
        let sts = WebIdentity::at(&endpoint, &HttpClients::through(client));
        sts.exchange(&session, &caller(), &pod_token()).await
    })
}

fn pod_token() -> BearerToken {
    PresentedToken::read(POD_TOKEN.as_bytes()).unwrap().to_bearer()
}

fn status(data: &[u8]) -> Option<(u16, &[u8])> {
    let (first, body) = data.split_first()?;
    Some((STATUSES[usize::from(*first) % STATUSES.len()], body))
}

fn has_all_parts(credentials: &Credentials) {
    assert!(!credentials.access_key_id.is_empty());
    assert!(!credentials.secret_access_key.expose().is_empty());
    assert!(!credentials.session_token.expose().is_empty());
}

/// An AWS that answers every request with this status and body.
#[derive(Clone, Debug)]
struct Canned(u16, Vec<u8>);

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = self.0.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, self.1.clone().into())))
    }
}

#[cfg(test)]
mod tests {
    type Target = fn(&[u8]);

    /// The seeds of `fuzz/`, so that they stay what they are for.
    #[test]
    fn every_seed_keeps_the_rules() {
        let targets: [(&str, Target); 4] = [
            ("token", super::token),
            ("keys_file", super::keys_file),
            ("eks_auth", super::eks_auth),
            ("sts", super::sts),
        ];
        for (name, target) in targets {
            let seeds = format!("{}/../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            for seed in std::fs::read_dir(seeds).unwrap() {
                target(&std::fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}
