//! Random input for everything that is parsed: tokens, requests, AWS's responses. Nothing panics, and
//! no caller gets another's credentials. `PROPTEST_CASES=100000` makes the short run a long one.

use std::sync::{Arc, OnceLock};

use axum::{Router, body::Body};
use http::Request;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::{
    bearer_token::{PresentedToken, tests::bearer},
    exchange::ErrorKind,
    fuzzing::{is_the_named_caller, sts_answer as ask},
    tests::{
        fixture::{ISSUER, ROLE, RSA, claims, keys, now, rules},
        full_path::world,
    },
    token::verify,
};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        select(vec![ISSUER, "sts.amazonaws.com", "system:serviceaccount:shop:app", "app", ""])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let name = select(vec!["name", "uid", "namespace", "pod", "iss", "x"]);
        let pairs = vec((name, inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            pairs.prop_map(|pairs| pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

/// A place in the claims of a valid token.
fn pointer() -> impl Strategy<Value = &'static str> {
    select(vec![
        "/iss",
        "/aud",
        "/sub",
        "/exp",
        "/iat",
        "/nbf",
        "/kubernetes.io",
        "/kubernetes.io/namespace",
        "/kubernetes.io/node",
        "/kubernetes.io/node/name",
        "/kubernetes.io/pod",
        "/kubernetes.io/pod/name",
        "/kubernetes.io/pod/uid",
        "/kubernetes.io/serviceaccount",
        "/kubernetes.io/serviceaccount/name",
        "/kubernetes.io/serviceaccount/uid",
    ])
}

fn good() -> &'static str {
    static GOOD: OnceLock<String> = OnceLock::new();
    GOOD.get_or_init(|| RSA.token("RS256", &claims()))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_text_is_not_a_token(text in "[A-Za-z0-9_.=-]{0,200}|\\PC{0,200}") {
        if let Ok(token) = PresentedToken::read(text.as_bytes()) {
            prop_assert!(verify(&token.to_bearer(), &keys(&[&RSA]), &rules(), now()).is_err());
        }
    }

    #[test]
    fn a_token_with_one_changed_character_is_refused(
        at in any::<prop::sample::Index>(), other in "[A-Za-z0-9_.-]",
    ) {
        let at = at.index(good().len());
        let mut changed = good().to_owned();
        changed.replace_range(at..=at, &other);
        prop_assume!(changed != good());
        prop_assert!(verify(&bearer(&changed), &keys(&[&RSA]), &rules(), now()).is_err());
    }

    /// Claims that the cluster signed but that are not as expected: from a careless API server, or a
    /// future one.
    #[test]
    fn signed_claims_of_any_form_give_the_caller_that_they_name(place in pointer(), value in any_json()) {
        let mut claims = claims();
        *claims.pointer_mut(place).unwrap() = value;
        let token = RSA.token("RS256", &claims);
        if let Ok(read) = verify(&bearer(&token), &keys(&[&RSA]), &rules(), now()) {
            is_the_named_caller(&read, &claims);
        }
    }

    #[test]
    fn every_request_has_an_answer(
        method in select(vec!["GET", "HEAD", "POST", "OPTIONS", "TRACE", "X"]),
        path in "/|/v1/credentials|/v1/credentials[/?#%;.a-z0-9]{0,20}|(/[!-~&&[^\"<>\\\\^`{|}#]]{0,12}){1,4}",
        host in "127\\.0\\.0\\.1|localhost(:[0-9]{1,6})?|[!-~]{0,20}",
        token in "[!-~]{0,60}|Bearer [!-~]{0,20}",
        more in vec(("[a-z-]{1,12}", "[ -~]{0,20}"), 0..3),
    ) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", host).header("authorization", &token);
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, value));
        let Ok(request) = request.body(Body::empty()) else {
            return Ok(());
        };
        let (status, kind, body) = answer(request);
        prop_assert!([400, 403, 404, 405].contains(&status), "{status}");
        prop_assert_eq!(kind, "application/json");
        if method == "HEAD" {
            prop_assert_eq!(body, "");
            return Ok(());
        }
        let read: Value = serde_json::from_str(&body).unwrap();
        prop_assert!(read["code"].is_string() && read["message"].is_string());
        prop_assert!(token.len() < 12 || !body.contains(&token), "the answer contains the token");
    }

    #[test]
    fn a_truncated_response_gives_the_same_credentials_or_an_error(at in any::<prop::sample::Index>()) {
        let whole = xml();
        let part = &whole.as_bytes()[..at.index(whole.len())];
        match ask(200, part) {
            Ok(given) => {
                let whole = ask(200, whole.as_bytes()).unwrap();
                prop_assert_eq!(format!("{given:?}"), format!("{whole:?}"));
            }
            Err(error) => prop_assert_eq!(error.kind, ErrorKind::Transient),
        }
    }

    #[test]
    fn no_response_gives_credentials_of_another_role(
        status in select(vec![200, 200, 200, 201, 204, 302, 400, 403, 404, 429, 500, 503]),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        put in "[<>&/a-zA-Z0-9:;\"]{0,12}|arn:aws:sts::999999999999:assumed-role/other/x",
    ) {
        let mut text = xml();
        let from = at.index(text.len());
        let to = (from + cut).min(text.len());
        text.replace_range(from..to, &put);
        match ask(status, text.as_bytes()) {
            Ok(given) => {
                prop_assert_eq!(given.role.as_str(), ROLE);
                prop_assert!(!given.access_key_id.is_empty());
                prop_assert!(!given.secret_access_key.expose().is_empty());
                prop_assert!(!given.session_token.expose().is_empty());
            }
            Err(error) => prop_assert!(!error.to_string().contains("the-pods-token")),
        }
    }

    #[test]
    fn random_bytes_are_not_a_response(status in 100_u16..600, bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(ask(status, &bytes).is_err());
    }
}

/// The answer of an agent for which no token is valid.
fn answer(request: Request<Body>) -> (u16, String, String) {
    static STAGE: OnceLock<(Runtime, Router)> = OnceLock::new();
    let (runtime, router) = STAGE.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let world = runtime.block_on(world());
        let router = crate::http::router(Arc::clone(&world.agent));
        (runtime, router)
    });
    runtime.block_on(async {
        let answer = router.clone().oneshot(request).await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    })
}

fn xml() -> String {
    let arn = "arn:aws:sts::111122223333:assumed-role/app/shop.app";
    let action = "AssumeRoleWithWebIdentity";
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <AssumedRoleUser><AssumedRoleId>AROA:shop.app</AssumedRoleId><Arn>{arn}</Arn>\
         </AssumedRoleUser><Credentials><AccessKeyId>ASIAFROMSTS</AccessKeyId>\
         <SecretAccessKey>secret-from-sts</SecretAccessKey><SessionToken>session-from-sts\
         </SessionToken><Expiration>2027-01-15T08:00:00Z</Expiration></Credentials>\
         </{action}Result></{action}Response>"
    )
}
