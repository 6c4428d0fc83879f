use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use super::*;
use crate::bearer_token::tests::bearer;
use crate::tests::fixture::{EC256, NOW, RSA, at, claims, jwks, keys, now, rules};
use axum::{Json, Router, routing::get};
use podrole_runtime::serve::{Limits, Server};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// An issuer on loopback whose key set can be replaced.
struct Issuer {
    url: String,
    published: Arc<std::sync::Mutex<Vec<Value>>>,
    asked: Arc<AtomicI64>,
    time: Arc<AtomicI64>,
    cache: JwksCache,
}

async fn issuer(published: Vec<Value>) -> Issuer {
    let published = Arc::new(std::sync::Mutex::new(published));
    let (asked, time) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(NOW)));
    let loopback = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(loopback, Limits::default()).await.unwrap();
    let url = format!("http://{}", server.address());
    let document = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
    let (keys, count) = (Arc::clone(&published), Arc::clone(&asked));
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(async move || Json(document)))
        .route(
            "/keys",
            get(async move || {
                count.fetch_add(1, SeqCst);
                Json(json!({"keys": *keys.lock().unwrap()}))
            }),
        );
    tokio::spawn(server.run(router, CancellationToken::new()));
    let ticks = Arc::clone(&time);
    let clock = Clock::new(move || Timestamp::from_second(ticks.load(SeqCst)).unwrap());
    let cache = JwksCache::new(KeySource::Issuers(vec![url.clone()]), clock);
    Issuer { url, published, asked, time, cache }
}

impl Issuer {
    fn token(&self) -> String {
        let mut claims = claims();
        claims["iss"] = self.url.as_str().into();
        EC256.token("ES256", &claims)
    }

    async fn verify(&self, token: &str) -> Result<Caller, VerifyError> {
        let mut rules = rules();
        rules.issuers = vec![self.url.clone()];
        let now = Timestamp::from_second(self.time.load(SeqCst)).unwrap();
        self.cache.verify(&bearer(token), &rules, now).await
    }
}

#[tokio::test]
async fn keys_are_read_by_discovery() {
    let issuer = issuer(vec![EC256.jwk()]).await;
    assert!(issuer.verify(&issuer.token()).await.is_ok());
    assert!(issuer.verify(&issuer.token()).await.is_ok());
    assert_eq!(issuer.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn unknown_keys_cause_at_most_one_fetch_in_5_seconds() {
    let issuer = issuer(vec![RSA.jwk()]).await;
    let token = issuer.token();
    let flood = (0..64).map(|_| issuer.verify(&token));
    for verdict in futures::future::join_all(flood).await {
        assert_eq!(verdict, Err(VerifyError::KeyPending));
    }
    assert_eq!(issuer.asked.load(SeqCst), 1);
    issuer.published.lock().unwrap().push(EC256.jwk());
    issuer.time.store(NOW + 4, SeqCst);
    assert_eq!(issuer.verify(&token).await, Err(VerifyError::KeyPending));
    issuer.time.store(NOW + 5, SeqCst);
    assert!(issuer.verify(&token).await.is_ok(), "the key is published now");
    assert_eq!(issuer.asked.load(SeqCst), 2);
}

#[tokio::test]
async fn a_token_of_a_foreign_issuer_is_refused_without_a_fetch() {
    let issuer = issuer(vec![RSA.jwk()]).await;
    let verdict = issuer.verify(&EC256.token("ES256", &claims())).await;
    assert_eq!(verdict, Err(TokenError::Issuer { issued: Some(at(-10)) }.into()));
    assert_eq!(issuer.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn an_unknown_key_is_final_once_a_set_a_minute_newer_lacks_it() {
    let issuer = issuer(vec![RSA.jwk()]).await;
    let token = issuer.token();
    // The token was made at -10.
    issuer.time.store(NOW + 49, SeqCst);
    assert_eq!(issuer.verify(&token).await, Err(VerifyError::KeyPending));
    issuer.time.store(NOW + 54, SeqCst);
    let verdict = issuer.verify(&token).await;
    let issued = Some(at(-10));
    assert_eq!(verdict, Err(TokenError::UnknownKey { issued }.into()));
}

#[tokio::test]
async fn a_withdrawn_key_is_counted() {
    let issuer = issuer(vec![RSA.jwk(), EC256.jwk()]).await;
    issuer.cache.refetch().await.unwrap();
    assert_eq!(issuer.cache.withdrawals(), 0, "added keys are not counted");
    issuer.published.lock().unwrap().pop();
    issuer.time.store(NOW + 10, SeqCst);
    issuer.cache.refetch().await.unwrap();
    assert_eq!(issuer.cache.withdrawals(), 1);
}

#[tokio::test]
async fn a_bad_set_does_not_replace_a_good_one() {
    let issuer = issuer(vec![EC256.jwk()]).await;
    issuer.cache.refetch().await.unwrap();
    issuer.published.lock().unwrap().clear();
    issuer.time.store(NOW + 10, SeqCst);
    let error = issuer.cache.refetch().await.unwrap_err();
    assert!(error.to_string().contains("it is not a JSON Web Key Set"), "{error}");
    assert!(issuer.verify(&issuer.token()).await.is_ok());
}

#[tokio::test]
async fn with_static_keys_an_unknown_key_is_final_at_once() {
    let cache = JwksCache::new(KeySource::Static(keys(&[&RSA])), Clock::default());
    let token = EC256.token("ES256", &claims());
    let verdict = cache.verify(&bearer(&token), &rules(), now()).await;
    assert!(matches!(verdict, Err(VerifyError::Token(TokenError::UnknownKey { .. }))));
}

#[test]
fn a_union_has_the_earlier_fetch_time() {
    let read = |at| Keys::read(&jwks(&[RSA.jwk()]), None, at).unwrap();
    assert_eq!(read(at(5)).and(read(at(3))).fetched(), at(3));
}

#[test]
fn a_former_issuer_is_accepted_for_a_day() {
    let day = 24 * 3600;
    let set = |issuer: &str, time| {
        Keys::read(&jwks(&[RSA.jwk()]), None, at(time)).unwrap().naming(issuer.to_owned())
    };
    let before = set("a", 0).replacing(&set("z", -day));
    assert!(before.names("a") && !before.names("z"), "z's last token has expired");
    let after = set("b", day - 1).replacing(&before);
    assert_eq!(after.issuer(), Some("b"));
    assert!(after.names("a") && before.all_in(&after));
    let later = set("b", day).replacing(&after);
    assert!(later.names("b") && !later.names("a"));
    assert!(!after.all_in(&later), "a's tokens must be verified again");
}

#[tokio::test]
async fn an_unreachable_issuer_does_not_affect_the_others() {
    let issuer = issuer(vec![EC256.jwk()]).await;
    let away = "http://127.0.0.1:1".to_owned();
    let time = Arc::clone(&issuer.time);
    let clock = Clock::new(move || Timestamp::from_second(time.load(SeqCst)).unwrap());
    let source = KeySource::Issuers(vec![away.clone(), issuer.url.clone()]);
    let cache = JwksCache::new(source, clock);
    let both = Rules { issuers: vec![away.clone(), issuer.url.clone()], ..rules() };
    assert!(cache.verify(&bearer(&issuer.token()), &both, now()).await.is_ok());
    // Its keys may be published yet, so its tokens are not refused for good, however old.
    issuer.time.store(NOW + 600, SeqCst);
    let mut claims = claims();
    claims["iss"] = away.into();
    let token = RSA.token("RS256", &claims);
    assert_eq!(cache.verify(&bearer(&token), &both, at(600)).await, Err(VerifyError::KeyPending));
    // None of them: what is there stays.
    let gone = KeySource::Issuers(vec!["http://127.0.0.1:1".to_owned(); 2]);
    assert!(JwksCache::new(gone, Clock::new(now)).refetch().await.is_err());
}
