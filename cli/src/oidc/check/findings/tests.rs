use serde_json::json;

use super::{super::super::key::testing, *};

const URL: &str = "https://oidc.example/a";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn server(issuer: &str, kids: &[&str]) -> ServerDocuments {
    let discovery = json!({"issuer": issuer, "jwks_uri": format!("{URL}/openid/v1/jwks")});
    let keys: Vec<_> = kids.iter().map(|kid| testing::jwk(kid)).collect();
    let keys = json!({ "keys": keys }).to_string();
    ServerDocuments::read("a", discovery.to_string().as_bytes(), keys.as_bytes()).unwrap()
}

fn published(issuer: &str, kids: &[&str]) -> Option<Published> {
    Some(Published::Keys(PublishedKeys {
        issuer: issuer.to_owned(),
        at: format!("{URL}/openid/v1/jwks"),
        keys: testing::set(kids),
        not_json: Vec::new(),
        date: Some(at(0)),
    }))
}

fn evidence(kids: &[&str], signing: Option<&str>, in_public: &[&str]) -> Evidence {
    let token =
        |kid: &str| TokenFacts { issuer: URL.to_owned(), kid: kid.to_owned(), issued: at(0) };
    Evidence {
        servers: vec![server(URL, kids)],
        tokens: signing.map(|kid| ("a".to_owned(), Ok(token(kid)))).into_iter().collect(),
        published: published(URL, in_public),
        publish: "podrole oidc publish --to out".to_owned(),
        now: at(1),
    }
}

/// State, code and sentence of what is neither ok nor skipped.
fn wrong(evidence: &Evidence) -> Vec<(State, Option<u16>, String)> {
    let found = findings(evidence).into_iter();
    let found = found.filter(|it| ![State::Ok, State::Skipped].contains(&it.state));
    found.map(|it| (it.state, it.code.map(|code| code.0), it.message)).collect()
}

fn one(evidence: &Evidence) -> (State, Option<u16>, String) {
    let mut all = wrong(evidence);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn error(code: u16, message: &str) -> (State, Option<u16>, String) {
    (State::Error, Some(code), message.to_owned())
}

#[test]
fn a_published_issuer_has_no_finding() {
    assert_eq!(wrong(&evidence(&["a", "b"], Some("a"), &["a", "b", "old"])), []);
    assert_eq!(wrong(&evidence(&["a"], None, &["a"])), []);
}

#[test]
fn a_key_that_signs_must_be_published_and_others_soon() {
    let signs = one(&evidence(&["a", "b"], Some("b"), &["a"]));
    assert_eq!(signs, error(25, "key b signs tokens and is not published"));
    let all = findings(&evidence(&["a", "b"], Some("b"), &["a"]));
    let it = all.iter().find(|it| it.state == State::Error).unwrap();
    assert_eq!(it.fix, ["podrole oidc publish --to out"]);
    let next = one(&evidence(&["a", "b"], Some("a"), &["a"]));
    let message = "key b is not published; it does not sign tokens yet".to_owned();
    assert_eq!(next, (State::Warning, Some(25), message));
    let unknown = one(&evidence(&["a", "b"], None, &["a"]));
    assert_eq!(unknown, error(25, "key b of the API server is not published"));
}

#[test]
fn keys_of_another_cluster_and_an_empty_place_are_named() {
    let foreign = one(&evidence(&["a"], Some("a"), &["x"]));
    let message =
        "none of this cluster's keys is published at https://oidc.example/a/openid/v1/jwks";
    assert_eq!(foreign, error(26, message));
    let mut it = evidence(&["a"], None, &[]);
    it.published = Some(Published::Nothing(format!("{URL}/x")));
    assert_eq!(one(&it), error(26, "nothing is published at https://oidc.example/a/x"));
    it.published = Some(Published::Bad("u".to_owned(), "r".to_owned()));
    assert_eq!(one(&it), error(26, "what is published at u cannot be used: r"));
    // The same ID with another key.
    let mut other = testing::jwk("a");
    other["x"] = json!("AA");
    let other = json!({"keys": [other]}).to_string();
    let mut it = evidence(&["a"], None, &["a"]);
    let Some(Published::Keys(keys)) = &mut it.published else { unreachable!() };
    keys.keys = super::super::super::key::read_set(other.as_bytes()).unwrap();
    assert_eq!(one(&it), error(26, message));
}

#[test]
fn each_place_must_name_the_same_issuer() {
    let mut it = evidence(&["a"], Some("a"), &["a"]);
    it.published = published("https://oidc.example/a/", &["a"]);
    assert_eq!(one(&it), error(24, "the published discovery document names another issuer"));
    let mut it = evidence(&["a"], Some("a"), &["a"]);
    it.tokens[0].1.as_mut().unwrap().issuer = "https://old.example".to_owned();
    assert_eq!(one(&it), error(24, "tokens of a name another issuer"));
    let mut it = evidence(&["a"], Some("a"), &["a"]);
    it.servers
        .push(ServerDocuments { server: "b".to_owned(), ..server("https://b.example", &["a"]) });
    it.tokens.push(("b".to_owned(), Err(FreshTokenError::Form)));
    let all = wrong(&it);
    assert_eq!(all[0], error(24, "a and b have different issuers"));
    assert_eq!((all[1].0, all.len()), (State::Unknown, 2));
}

#[test]
fn an_issuer_that_iam_cannot_use_ends_the_check() {
    let mut it = evidence(&["a"], None, &["a"]);
    it.servers = vec![server("http://oidc.example", &["a"])];
    it.published = None;
    let message = "IAM cannot use the API server's issuer: it begins with http, and IAM reads keys by https only";
    assert_eq!(one(&it), error(24, message));
    it.servers = vec![server("https://oidc.example/", &["a"])];
    it.published = published("https://oidc.example/", &["a"]);
    assert_eq!((one(&it).0, one(&it).1), (State::Warning, Some(24)));
}

#[test]
fn clocks_content_types_and_what_cannot_be_read_are_reported() {
    let mut it = evidence(&["a"], Some("a"), &["a"]);
    it.now = at(61);
    it.tokens[0].1.as_mut().unwrap().issued = at(90);
    let all = wrong(&it);
    assert!(
        all[0].2.starts_with("the clock of a is 90 s ahead of the issuer's server;"),
        "{all:?}"
    );
    assert_eq!(all[1].2, "this machine's clock is 61 s ahead of the issuer's server");
    let mut it = evidence(&["a"], Some("a"), &["a"]);
    let Some(Published::Keys(keys)) = &mut it.published else { unreachable!() };
    keys.not_json.push("u".to_owned());
    let message = "u is not served as application/json".to_owned();
    assert_eq!(one(&it), (State::Warning, None, message));
    let error = FetchError { message: "x".to_owned(), is_untrusted: true };
    it.published = Some(Published::Unread(error));
    assert_eq!(one(&it).0, State::Unknown);
    it.published = published(URL, &["a"]);
    it.tokens[0].1.as_mut().unwrap().kid = "z".to_owned();
    assert_eq!(one(&it).2, "key z signs tokens and the API servers do not list it");
}
