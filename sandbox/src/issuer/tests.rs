use podrole_identity::Audience;

use super::*;

#[test]
fn an_invalid_issuer_url_is_rejected() {
    for (url, wanted) in [
        ("http://127.0.0.1:4566", Some("")),
        ("https://oidc.example/id/abc", Some("/id/abc")),
        ("https://oidc.example/", Some("")),
        ("https://oidc.example/id/abc/", Some("/id/abc")),
        ("https://oidc.example//", None),
        ("https://oidc.example/id?x", None),
        ("https://oidc.example/{id}", None),
        ("https://", None),
        ("ftp://oidc.example", None),
        ("oidc.example", None),
    ] {
        assert_eq!(path(url).as_deref(), wanted, "{url}");
    }
}

#[test]
fn a_token_has_the_claims_of_kubernetes() {
    let issuer = Issuer::generate("https://oidc.example").unwrap();
    let request = TokenRequest {
        service_account: "shop/app".parse().unwrap(),
        service_account_uid: "sa-uid".to_owned(),
        audiences: vec![Audience::sts()],
        expiration_seconds: 600,
        pod: Some(PodRef { name: "app-1".to_owned(), uid: "pod-uid".to_owned() }),
        node: Some(NodeRef { name: "node-1".to_owned(), uid: "node-uid".to_owned() }),
    };
    let now = Timestamp::from_second(1000).unwrap();
    let token = issuer.mint(&request, now).unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["jti"].take().as_str().unwrap().len(), 36);
    let wanted = json!({
        "iss": "https://oidc.example",
        "sub": "system:serviceaccount:shop:app",
        "aud": ["sts.amazonaws.com"],
        "exp": 1600, "iat": 1000, "nbf": 1000, "jti": null,
        "kubernetes.io": {
            "namespace": "shop",
            "serviceaccount": {"name": "app", "uid": "sa-uid"},
            "pod": {"name": "app-1", "uid": "pod-uid"},
            "node": {"name": "node-1", "uid": "node-uid"},
        },
    });
    assert_eq!(claims, wanted);
    let none = TokenRequest { audiences: Vec::new(), ..request };
    assert_eq!(issuer.mint(&none, now), Err(IssuerError::NoAudience));
}

#[test]
fn discovery_names_where_the_keys_are_served() {
    let issuer = Issuer::generate("https://oidc.example/id/abc").unwrap();
    let uri = issuer.discovery()["jwks_uri"].as_str().unwrap().to_owned();
    assert_eq!(uri, "https://oidc.example/id/abc/openid/v1/jwks");
    let (discovery, keys) = issuer.paths();
    assert_eq!(discovery, "/id/abc/.well-known/openid-configuration");
    assert!(uri.ends_with(&keys));
}
