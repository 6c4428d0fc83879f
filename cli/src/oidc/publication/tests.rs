use super::{
    super::key::{read_set, testing},
    *,
};

const ISSUER: &str = "https://oidc.example/a";
const KEEP: SignedDuration = SignedDuration::from_hours(25);

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
}

fn server_of(name: &str, issuer: &str, jwks_uri: &str, keys: KeySet) -> ServerDocuments {
    let document = json!({"issuer": issuer, "jwks_uri": jwks_uri, "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"], ALGORITHMS: ["RS256"]});
    let discovery = Discovery::read(document.to_string().as_bytes()).unwrap();
    ServerDocuments { server: name.to_owned(), discovery, keys }
}

fn server(kids: &[&str]) -> ServerDocuments {
    server_of("a", ISSUER, &format!("{ISSUER}/openid/v1/jwks"), testing::set(kids))
}

fn kids(publication: &Publication) -> Vec<String> {
    read_set(publication.jwks.as_bytes()).unwrap().into_keys().collect()
}

/// What the next run finds.
fn published(publication: &Publication) -> Former {
    Former {
        keys: Some(read_set(publication.jwks.as_bytes()).unwrap()),
        discovery: Some(Discovery::read(publication.discovery.as_bytes()).unwrap()),
        records: publication.records.clone(),
    }
}

fn run(servers: &[&[&str]], former: &Former, now: Timestamp) -> Publication {
    let servers: Vec<_> = servers.iter().map(|kids| server(kids)).collect();
    merged(&servers, former, KEEP, now).unwrap()
}

#[test]
fn the_files_are_where_the_discovery_document_says() {
    let found = layout(&[server(&["a"])], TrailingSlash::Refused).unwrap();
    assert_eq!((found.issuer.as_str(), found.jwks_path.as_str()), (ISSUER, "openid/v1/jwks"));
    let slash = server_of("a", "https://a.example/", "https://a.example/k", testing::set(&["a"]));
    let found = layout(std::slice::from_ref(&slash), TrailingSlash::Accepted).unwrap();
    assert_eq!((found.issuer.as_str(), found.jwks_path.as_str()), ("https://a.example/", "k"));
    let refused = layout(&[slash], TrailingSlash::Refused).unwrap_err();
    assert_eq!(refused, Refusal::TrailingSlash("https://a.example/".to_owned()));
}

#[test]
fn an_issuer_or_a_place_of_keys_that_cannot_be_published_is_refused() {
    let refused = |issuer: &str, jwks_uri: &str| {
        let server = server_of("a", issuer, jwks_uri, testing::set(&["a"]));
        layout(&[server], TrailingSlash::Refused).unwrap_err().to_string()
    };
    let default = refused("https://kubernetes.default.svc", "https://10.0.0.1:6443/openid/v1/jwks");
    assert!(default.contains("within the cluster"), "{default}");
    for uri in [
        "https://10.0.0.1:6443/openid/v1/jwks".to_owned(),
        format!("{ISSUER}/{DISCOVERY}"),
        format!("{ISSUER}/{RECORDS}"),
    ] {
        assert_eq!(
            refused(ISSUER, &uri),
            format!(
                "the API server's jwks_uri {uri} is not a file below the issuer; start it with \
                 --service-account-jwks-uri=https://oidc.example/a/openid/v1/jwks"
            )
        );
    }
}

#[test]
fn api_servers_that_disagree_are_refused() {
    let other = |issuer: &str, path: &str| {
        let other = server_of("b", issuer, &format!("{ISSUER}/{path}"), testing::set(&["a"]));
        layout(&[server(&["a"]), other], TrailingSlash::Refused)
    };
    assert!(matches!(other("https://b.example", "openid/v1/jwks"), Err(Refusal::Issuers { .. })));
    assert!(matches!(other(ISSUER, "keys"), Err(Refusal::JwksUris { .. })));
    assert!(other(ISSUER, "openid/v1/jwks").is_ok());
    assert_eq!(layout(&[], TrailingSlash::Refused), Err(Refusal::NoServer));
}

#[test]
fn the_keys_of_all_api_servers_are_published() {
    let first = run(&[&["b", "a"], &["c", "a"]], &Former::default(), at(0));
    assert_eq!(kids(&first), ["a", "b", "c"]);
    assert!(!first.is_foreign && first.removed.is_empty());
    let document = Discovery::read(first.discovery.as_bytes()).unwrap();
    assert_eq!(document.fields[ALGORITHMS], json!(["ES256", "RS256"]));
    assert_eq!(document.fields["subject_types_supported"], json!(["public"]));
    assert_eq!(document.issuer, ISSUER);
}

#[test]
fn a_run_without_a_change_gives_the_same_bytes() {
    let first = run(&[&["a"], &["b"]], &Former::default(), at(0));
    let again = run(&[&["b"], &["a"]], &published(&first), at(500));
    assert_eq!(again, first);
}

#[test]
fn a_removed_key_is_published_25_hours_more() {
    let both = run(&[&["a", "b"]], &Former::default(), at(0));
    let gone = run(&[&["b"]], &published(&both), at(100));
    assert_eq!(kids(&gone), ["a", "b"], "it is kept although it was seen first 100 h ago");
    assert_eq!(gone.records.find("a").unwrap().last_seen, Some(at(100)));
    let later = run(&[&["b"]], &published(&gone), at(125));
    assert_eq!((kids(&later), later.removed.len()), (vec!["a".to_owned(), "b".to_owned()], 0));
    assert_eq!(later, gone, "nothing is written meanwhile");
    let over = merged(&[server(&["b"])], &published(&later), KEEP, after(at(125))).unwrap();
    assert_eq!((kids(&over), over.removed), (vec!["b".to_owned()], vec!["a".to_owned()]));
    assert_eq!(over.records.find("a"), None);
}

fn after(time: Timestamp) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(1)).unwrap()
}

#[test]
fn a_key_that_comes_back_is_current_again() {
    let both = run(&[&["a", "b"]], &Former::default(), at(0));
    let gone = run(&[&["b"]], &published(&both), at(1));
    let back = run(&[&["b"], &["a"]], &published(&gone), at(20));
    let record = back.records.find("a").unwrap();
    assert_eq!((record.first_seen, record.last_seen), (at(0), None));
    let gone = run(&[&["b"]], &published(&back), at(40));
    assert_eq!(kids(&run(&[&["b"]], &published(&gone), at(60))), ["a", "b"]);
}

#[test]
fn keys_of_a_former_publication_without_records_are_kept_too() {
    let by_hand = Former { keys: Some(testing::set(&["old"])), ..Former::default() };
    let first = run(&[&["a"]], &by_hand, at(0));
    assert_eq!(kids(&first), ["a", "old"]);
    assert!(first.is_foreign, "no key is this cluster's");
    assert_eq!(first.records.find("old").unwrap().last_seen, Some(at(0)));
}

#[test]
fn a_publication_of_another_issuer_is_not_touched() {
    let mut former = published(&run(&[&["a"]], &Former::default(), at(0)));
    former.discovery.as_mut().unwrap().issuer = "https://b.example".to_owned();
    let error = merged(&[server(&["a"])], &former, KEEP, at(1)).unwrap_err();
    assert!(matches!(error, Refusal::OtherIssuer { .. }), "{error}");
}

#[test]
fn a_key_is_never_replaced_under_its_id() {
    let mut other = testing::jwk("a");
    other["x"] = json!("AA");
    let other = read_set(json!({"keys": [other]}).to_string().as_bytes()).unwrap();
    let former = Former { keys: Some(other.clone()), ..Former::default() };
    let error = merged(&[server(&["a"])], &former, KEEP, at(0)).unwrap_err();
    assert_eq!(error, Refusal::Changed("a".to_owned()));
    let uri = format!("{ISSUER}/openid/v1/jwks");
    let servers = [server(&["a"]), server_of("b", ISSUER, &uri, other)];
    let error = merged(&servers, &Former::default(), KEEP, at(0)).unwrap_err();
    assert_eq!(error, Refusal::Keys(KeySetError::Twice("a".to_owned())));
}

#[test]
fn a_set_that_iam_cannot_use_is_refused() {
    let okp = json!({"keys": [{"kid": "a", "kty": "OKP", "crv": "Ed25519", "x": "AA"}]});
    let keys = read_set(okp.to_string().as_bytes()).unwrap();
    let server = server_of("a", ISSUER, &format!("{ISSUER}/k"), keys);
    let error = merged(&[server], &Former::default(), KEEP, at(0)).unwrap_err();
    assert_eq!(error, Refusal::NoUsableKey);
    let names: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    run(&[&names[..100]], &Former::default(), at(0));
    let error = merged(&[self::server(&names)], &Former::default(), KEEP, at(0)).unwrap_err();
    assert_eq!(error, Refusal::TooMany { kty: "EC".to_owned(), count: 101 });
    // Also together with those that are kept.
    let former = published(&run(&[&names[..100]], &Former::default(), at(0)));
    let error = merged(&[self::server(&names[1..])], &former, KEEP, at(1)).unwrap_err();
    assert_eq!(error, Refusal::TooMany { kty: "EC".to_owned(), count: 101 });
}
